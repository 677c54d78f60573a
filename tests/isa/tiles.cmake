# AMX on a model of its tiles (tiles_in_c.h), which runs wherever there is AVX-512 VNNI: suites that run once more with
# it, and those of the tiles themselves.
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  return()
endif()
set(kernels ${CMAKE_SOURCE_DIR}/accel/cpu/gemm_amx.c ${CMAKE_SOURCE_DIR}/accel/cpu/linear_amx.c)
set_source_files_properties(${kernels} PROPERTIES COMPILE_OPTIONS
                            "${BERTD_SET_amx};-include;${CMAKE_CURRENT_SOURCE_DIR}/isa/tiles_in_c.h")
add_library(tiles_in_c OBJECT ${kernels} isa/tiles_in_c.c)
target_include_directories(tiles_in_c PRIVATE ${CMAKE_SOURCE_DIR})
if(NOT BERTD_SANITIZE)
  target_compile_options(tiles_in_c PRIVATE -O3)
endif()

# Objects go before the library that has them too, so they take its place.
add_executable(bertd_on_tiles ${CMAKE_SOURCE_DIR}/server/main.c $<TARGET_OBJECTS:tiles_in_c>)
target_link_libraries(bertd_on_tiles PRIVATE bertd_program)

function(bertd_test_on_tiles name target)
  add_test(NAME ${name} COMMAND ${target})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${test_timeout} SKIP_RETURN_CODE 77 ENVIRONMENT
                       "ASAN_OPTIONS=allocator_may_return_null=1;${http_environment};BERTD_TEST_BINARY=$<TARGET_FILE:bertd_on_tiles>")
endfunction()

foreach(suite accel-cpu_gemm accel-cpu_attention accel-cpu_rows accel-cpu_engine accel-verify accel-board model-golden)
  set(target test-${suite})
  get_target_property(sources ${target} SOURCES)
  get_target_property(libraries ${target} LINK_LIBRARIES)
  get_target_property(definitions ${target} COMPILE_DEFINITIONS)
  add_executable(${target}_on_tiles ${sources} $<TARGET_OBJECTS:tiles_in_c>)
  target_include_directories(${target}_on_tiles PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_definitions(${target}_on_tiles PRIVATE ${definitions})
  target_link_libraries(${target}_on_tiles PRIVATE ${libraries})
  bertd_test_on_tiles(${suite}_on_tiles ${target}_on_tiles)
  if(${suite} IN_LIST slow)
    set_tests_properties(${suite}_on_tiles PROPERTIES LABELS slow)
  endif()
endforeach()

foreach(stem tiles refusal)
  add_executable(test-isa-${stem} isa/test_${stem}.c $<TARGET_OBJECTS:tiles_in_c>)
  target_include_directories(test-isa-${stem} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(test-isa-${stem} PRIVATE tests-of-accel tests-of-http bertd_http bertd_accel criterion_words
                                                 PkgConfig::CURL PkgConfig::JANSSON)
  bertd_test_on_tiles(isa-${stem} test-isa-${stem})
endforeach()
