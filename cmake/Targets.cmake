# tikv_library(NAME lib_raft SOURCES a.cc b.cc DEPS lib_base absl::status [PCH proto|none])
# tikv_test(NAME lib_raft_test SOURCES a_test.cc DEPS lib_raft)   one test binary per folder
# tikv_binary(NAME tikv-server SOURCES main.cc DEPS server_node)
#
# Target names are folder paths with '_' for '/'.  Each target lists its sources and dependencies.
include(GoogleTest)

# Precompiled headers: `std` (standard library, status) for all; `proto` adds protobuf and the
# wire types that nearly everybody in server/ and pd/ includes.
function(tikv_pch target kind)
  if(kind STREQUAL "none")
    return()
  endif()
  if(kind STREQUAL "")
    set(kind std)
  endif()
  target_precompile_headers(${target} REUSE_FROM pch_${kind})
endfunction()

function(tikv_library)
  cmake_parse_arguments(A "" "NAME;PCH" "SOURCES;DEPS" ${ARGN})
  if(A_SOURCES)
    add_library(${A_NAME} STATIC ${A_SOURCES})
    target_include_directories(${A_NAME} PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>)
    target_link_libraries(${A_NAME} PUBLIC ${A_DEPS})
    tikv_pch(${A_NAME} "${A_PCH}")
  else()
    add_library(${A_NAME} INTERFACE)
    target_include_directories(${A_NAME} INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>)
    target_link_libraries(${A_NAME} INTERFACE ${A_DEPS})
  endif()
endfunction()

function(tikv_binary)
  cmake_parse_arguments(A "" "NAME;PCH" "SOURCES;DEPS" ${ARGN})
  add_executable(${A_NAME} ${A_SOURCES})
  target_include_directories(${A_NAME} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${A_NAME} PRIVATE ${A_DEPS})
  tikv_pch(${A_NAME} "${A_PCH}")
endfunction()

# Unit tests run as one ctest entry per binary: starting a process per case costs more than the
# cases.  TIMEOUT guards against a hang, it is not a speed limit.
add_custom_target(unit_tests)  # all of them, and no more than they need

function(tikv_test)
  cmake_parse_arguments(A "" "NAME;PCH;TIMEOUT" "SOURCES;DEPS;ARGS" ${ARGN})
  add_executable(${A_NAME} ${A_SOURCES})
  target_include_directories(${A_NAME} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${A_NAME} PRIVATE ${A_DEPS} GTest::gmock GTest::gtest GTest::gtest_main)
  tikv_pch(${A_NAME} "${A_PCH}")
  set_target_properties(${A_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 300)
  endif()
  add_test(NAME ${A_NAME} COMMAND ${A_NAME} ${A_ARGS} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${A_NAME} PROPERTIES TIMEOUT ${A_TIMEOUT} LABELS unit)
  add_dependencies(unit_tests ${A_NAME})
endfunction()
