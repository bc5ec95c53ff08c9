# The run-time dependencies. A system or package-manager MsQuic >= 2.6 with OpenSSL >= 3.5 is taken when found, and the
# system's wslay with them; otherwise third_party/build.sh makes static private copies (or says where it keeps them).
#   kith::crypto   OpenSSL's libssl and libcrypto
#   kith::msquic   MsQuic; KITH_MSQUIC_PATCHED says whether it carries third_party/patches
#   kith::wslay    WebSocket frames, with KITH_WEBSOCKET, which is turned off where the system has no wslay
find_package(Threads REQUIRED)

if(NOT KITH_DEPS)
  find_package(OpenSSL 3.5 QUIET)
  find_package(msquic 2.6 QUIET)
  if(OPENSSL_FOUND AND msquic_FOUND)
    set(KITH_MSQUIC_PATCHED OFF)
    add_library(kith_crypto_dep INTERFACE)
    target_link_libraries(kith_crypto_dep INTERFACE OpenSSL::SSL OpenSSL::Crypto)
    add_library(kith_msquic_dep INTERFACE)
    target_link_libraries(kith_msquic_dep INTERFACE msquic::msquic)
    add_library(kith::crypto ALIAS kith_crypto_dep)
    add_library(kith::msquic ALIAS kith_msquic_dep)
    find_path(KITH_WSLAY_INCLUDE wslay/wslay.h)
    find_library(KITH_WSLAY_LIBRARY wslay)
    if(KITH_WEBSOCKET AND KITH_WSLAY_INCLUDE AND KITH_WSLAY_LIBRARY)
      add_library(kith_wslay_dep INTERFACE)
      target_include_directories(kith_wslay_dep SYSTEM INTERFACE $<BUILD_INTERFACE:${KITH_WSLAY_INCLUDE}>)
      target_link_libraries(kith_wslay_dep INTERFACE ${KITH_WSLAY_LIBRARY})
      add_library(kith::wslay ALIAS kith_wslay_dep)
    else()
      set(KITH_WEBSOCKET OFF)
    endif()
    message(STATUS "kith: system OpenSSL ${OPENSSL_VERSION} and MsQuic (dialing from the listening port is off)")
    return()
  endif()
  execute_process(COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/third_party/build.sh
    OUTPUT_VARIABLE KITH_DEPS OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()

set(KITH_MSQUIC_PATCHED ON)
set(KITH_PRIVATE_ARCHIVES
  ${KITH_DEPS}/lib/libmsquic.a ${KITH_DEPS}/lib/libssl.a ${KITH_DEPS}/lib/libcrypto.a ${KITH_DEPS}/lib/libwslay.a)
add_library(kith_crypto_dep INTERFACE)
target_include_directories(kith_crypto_dep SYSTEM INTERFACE $<BUILD_INTERFACE:${KITH_DEPS}/include>)
target_link_libraries(kith_crypto_dep INTERFACE
  $<BUILD_INTERFACE:${KITH_DEPS}/lib/libssl.a> $<BUILD_INTERFACE:${KITH_DEPS}/lib/libcrypto.a> Threads::Threads)
add_library(kith_msquic_dep INTERFACE)
target_include_directories(kith_msquic_dep SYSTEM INTERFACE $<BUILD_INTERFACE:${KITH_DEPS}/include>)
target_link_libraries(kith_msquic_dep INTERFACE
  $<BUILD_INTERFACE:${KITH_DEPS}/lib/libmsquic.a> kith_crypto_dep ${CMAKE_DL_LIBS})
add_library(kith_wslay_dep INTERFACE)
target_include_directories(kith_wslay_dep SYSTEM INTERFACE $<BUILD_INTERFACE:${KITH_DEPS}/include>)
target_link_libraries(kith_wslay_dep INTERFACE $<BUILD_INTERFACE:${KITH_DEPS}/lib/libwslay.a>)
add_library(kith::crypto ALIAS kith_crypto_dep)
add_library(kith::msquic ALIAS kith_msquic_dep)
if(KITH_WEBSOCKET)
  add_library(kith::wslay ALIAS kith_wslay_dep)
endif()
message(STATUS "kith: OpenSSL and MsQuic from ${KITH_DEPS}")
