# One call a target, with all its dependencies visible.
include_guard()

set(SOMAFIT_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined")

# What every target of ours is compiled with. Floating point is ours to define:
# no contraction, no fast-math; AVX2 and FMA are the least processor.
add_library(somafit_flags INTERFACE)
target_include_directories(somafit_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(somafit_flags INTERFACE
  -Wall -Wextra $<$<CXX_COMPILER_ID:GNU>:-Wshadow=local> -Wnon-virtual-dtor
  -ffp-contract=off -march=x86-64-v3)
if(SOMAFIT_SANITIZE)
  target_compile_options(somafit_flags INTERFACE
    -fsanitize=${SOMAFIT_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(somafit_flags INTERFACE -fsanitize=${SOMAFIT_SANITIZE})
endif()
if(SOMAFIT_FUZZ)
  # Coverage counters. Kernels carry no type for -fsanitize=function, and newer
  # clangs look for it in front of a function, where no memory need be.
  target_compile_options(somafit_flags INTERFACE
    -fsanitize=fuzzer-no-link -fno-sanitize=function)
endif()

# somafit_library(name SOURCES a.cc ... DEPENDS target ...) makes somafit::name.
function(somafit_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(somafit_${name} STATIC ${arg_SOURCES})
  add_library(somafit::${name} ALIAS somafit_${name})
  target_link_libraries(somafit_${name} PUBLIC somafit_flags ${arg_DEPENDS})
endfunction()

# somafit_program(name SOURCES main.cc DEPENDS target ...)
function(somafit_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE somafit_flags ${arg_DEPENDS})
endfunction()

# All programs of tests with the label "unit": what runs under sanitizers.
add_custom_target(unit_tests)

# somafit_test(name SOURCES a_test.cc ... DEPENDS target ... [LABELS unit])
# One program with GoogleTest's main; one CTest entry each. Label what needs an
# uninstrumented library's threads (gRPC) "rpc", what takes long "slow".
function(somafit_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;LABELS" ${ARGN})
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE somafit_flags ${arg_DEPENDS}
    GTest::gtest GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}"
    SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
  if("unit" IN_LIST arg_LABELS)
    add_dependencies(unit_tests ${name})
  endif()
endfunction()
