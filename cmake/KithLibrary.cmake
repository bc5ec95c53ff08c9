# The product: libkith as a static and a shared library, headers, and the files by which others find it.
# All of it installs as the component `library`.
#   kith::kith    the shared library, which needs only libc and exports only the C API (none in sanitizer builds)
#   kith::static  the static library, with the archives it needs
include(CMakePackageConfigHelpers)

get_property(layers GLOBAL PROPERTY KITH_LAYERS)
set(objects "")
foreach(layer ${layers})
  list(APPEND objects $<TARGET_OBJECTS:${layer}>)
endforeach()

if(NOT KITH_SANITIZE)
  # Exports are the public functions and nothing else: not ours from inside, not MsQuic's, not OpenSSL's.
  add_library(kith_shared SHARED ${objects})
  set_target_properties(kith_shared PROPERTIES OUTPUT_NAME kith EXPORT_NAME kith
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/kith.map LINKER_LANGUAGE CXX)
  target_link_options(kith_shared PRIVATE
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/kith.map -Wl,--exclude-libs,ALL -Wl,--no-undefined
    -Wl,--gc-sections -static-libstdc++ -static-libgcc)
  target_link_libraries(kith_shared PRIVATE kith_msquic_dep kith_crypto_dep $<TARGET_NAME_IF_EXISTS:kith::wslay> Threads::Threads)
  target_include_directories(kith_shared INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  install(TARGETS kith_shared EXPORT kithTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
  add_library(kith::kith ALIAS kith_shared)
endif()

add_library(kith_static STATIC ${objects})
set_target_properties(kith_static PROPERTIES OUTPUT_NAME kith EXPORT_NAME static LINKER_LANGUAGE CXX)
target_compile_definitions(kith_static INTERFACE KITH_STATIC)
target_include_directories(kith_static INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
install(TARGETS kith_static EXPORT kithTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
if(KITH_PRIVATE_ARCHIVES)
  # The private copies travel with the static library, out of the way of the system's own.
  install(FILES ${KITH_PRIVATE_ARCHIVES} DESTINATION ${CMAKE_INSTALL_LIBDIR}/kith COMPONENT library)
  install(FILES ${KITH_DEPS}/LICENSE.openssl ${KITH_DEPS}/LICENSE.msquic ${KITH_DEPS}/LICENSE.wslay
    DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT library)
  foreach(archive msquic ssl crypto wslay)
    target_link_libraries(kith_static INTERFACE
      $<BUILD_INTERFACE:${KITH_DEPS}/lib/lib${archive}.a>
      $<INSTALL_INTERFACE:$<INSTALL_PREFIX>/${CMAKE_INSTALL_LIBDIR}/kith/lib${archive}.a>)
  endforeach()
  target_link_libraries(kith_static INTERFACE Threads::Threads ${CMAKE_DL_LIBS})
else()
  target_link_libraries(kith_static INTERFACE OpenSSL::SSL OpenSSL::Crypto msquic::msquic
    $<BUILD_INTERFACE:${KITH_WSLAY_LIBRARY}> $<INSTALL_INTERFACE:$<$<BOOL:${KITH_WEBSOCKET}>:wslay>> Threads::Threads)
endif()
# A C project without C++ links with the C compiler, which does not know what C++ needs.
target_link_libraries(kith_static INTERFACE $<$<LINK_LANGUAGE:C>:stdc++> $<$<LINK_LANGUAGE:C>:m>)
add_library(kith::static ALIAS kith_static)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/kith DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE-APACHE ${PROJECT_SOURCE_DIR}/LICENSE-MIT
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT library)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/kith)
install(EXPORT kithTargets NAMESPACE kith:: DESTINATION ${package_dir} COMPONENT library)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/kithConfig.cmake.in ${PROJECT_BINARY_DIR}/kithConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/kithConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/kithConfig.cmake ${PROJECT_BINARY_DIR}/kithConfigVersion.cmake
  DESTINATION ${package_dir} COMPONENT library)

# Found relative to the file itself, so that the installed tree can be moved.
set(pkgconfig_dir ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH KITH_PC_PREFIX ${pkgconfig_dir} ${CMAKE_INSTALL_PREFIX})
file(RELATIVE_PATH KITH_PC_LIBDIR ${pkgconfig_dir} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH KITH_PC_INCLUDEDIR ${pkgconfig_dir} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
configure_file(${PROJECT_SOURCE_DIR}/cmake/kith.pc.in ${PROJECT_BINARY_DIR}/kith.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/kith.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
