find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(GNUTLS REQUIRED IMPORTED_TARGET gnutls)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
# deploy/steps.sh puts a corrected libmicrohttpd there; without it the system's is used.
if(DEFINED ENV{XDG_CACHE_HOME})
  set(cache "$ENV{XDG_CACHE_HOME}")
else()
  set(cache "$ENV{HOME}/.cache")
endif()
# Not cached: a build folder that exists follows when the version changes. BERTD_MICROHTTPD names another folder.
if(NOT DEFINED BERTD_MICROHTTPD)
  set(BERTD_MICROHTTPD "${cache}/bertd/libmicrohttpd-1.0.1+5")
endif()
if(EXISTS "${BERTD_MICROHTTPD}/lib/libmicrohttpd.a")
  add_library(microhttpd STATIC IMPORTED)
  set_target_properties(microhttpd PROPERTIES IMPORTED_LOCATION "${BERTD_MICROHTTPD}/lib/libmicrohttpd.a"
                        INTERFACE_INCLUDE_DIRECTORIES "${BERTD_MICROHTTPD}/include"
                        INTERFACE_LINK_LIBRARIES "Threads::Threads;PkgConfig::GNUTLS")
else()
  pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
  add_library(microhttpd ALIAS PkgConfig::MICROHTTPD)
endif()
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(OPENBLAS REQUIRED IMPORTED_TARGET openblas)
# XRT, for cards: not needed. Debian's pkg-config file of 2.13 names a folder that is none, so it is looked for by hand.
# 2.25 has its headers a folder deeper, and some of them in detail/.
find_path(XRT_INCLUDE xrt/xrt_device.h PATH_SUFFIXES xrt)
find_library(XRT_LIBRARY xrt_coreutil)
if(XRT_INCLUDE AND XRT_LIBRARY AND NOT BERTD_FUZZ) # what is fuzzed needs none
  add_library(xrt INTERFACE IMPORTED)
  set_target_properties(xrt PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${XRT_INCLUDE};${XRT_INCLUDE}/xrt;${XRT_INCLUDE}/xrt/detail"
                        INTERFACE_LINK_LIBRARIES "${XRT_LIBRARY}")
endif()
if(BERTD_TESTS)
  pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)
endif()
