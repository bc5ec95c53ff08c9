// MsQuic's header with the preview features (custom execution, partitions) that kith needs.
#pragma once

#define QUIC_API_ENABLE_PREVIEW_FEATURES 1
#include <msquic.h>
