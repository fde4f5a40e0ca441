# Compiler, linker and sanitizer settings of the whole tree.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

set(TIKV_SANITIZE "" CACHE STRING "Sanitizers to build with, as given to -fsanitize=")

# For all: gRPC's target brings it, and a precompiled header is only used where flags agree.
add_compile_options(-pthread)
add_link_options(-pthread)

# Release keeps CHECK; NDEBUG only removes assert() of the standard library and of dependencies.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")
if(TIKV_SANITIZE)
  set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1 -fno-omit-frame-pointer")
  add_compile_options(-fsanitize=${TIKV_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TIKV_SANITIZE})
  add_compile_definitions(_GLIBCXX_ASSERTIONS)  # indices inside a capacity, empty optionals
endif()
add_compile_options(-Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers
                    -fno-semantic-interposition)
if(TIKV_SANITIZE)
  # The added checks hide from the compiler what its flow analysis needs; the release build warns.
  add_compile_options(-Wno-maybe-uninitialized -Wno-array-bounds -Wno-stringop-overflow -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-tsan -fdiagnostics-color=always)
endif()

# What fmt's and spdlog's own targets define; set for all, since a precompiled header is only used
# where the definitions agree.
add_compile_definitions(TIKV_VERSION="${PROJECT_VERSION}" FMT_SHARED SPDLOG_SHARED_LIB SPDLOG_COMPILED_LIB SPDLOG_FMT_EXTERNAL)

find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()
add_link_options(-Wl,--as-needed)

find_program(CCACHE ccache)
if(CCACHE)
  # PCH_SLOPPINESS lets ccache share objects although they use a precompiled header; BASEDIR lets
  # two checkouts share one cache.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_PCH_EXTSUM=1 ${CCACHE})
  add_compile_options(-fpch-preprocess)
endif()
