# Flags that every target gets.
add_compile_options(-Wall -Wextra -fno-strict-aliasing -fvisibility=hidden)
if(BERTD_TESTS) # who builds the program alone may do so with compilers and levels that warn of more
  add_compile_options(-Werror)
endif()
if(BERTD_WARNINGS STREQUAL "strict")
  add_compile_options(-Wshadow -Wpointer-arith -Wundef -Wformat=2 -Wvla -Wswitch-enum
                      $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>)
endif()
# The numerics are written out operation by operation; the compiler must not fuse or reorder them.
add_compile_options(-ffp-contract=off)
add_compile_definitions(_GNU_SOURCE)

if(BERTD_SANITIZE)
  add_compile_options(-fsanitize=${BERTD_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${BERTD_SANITIZE})
  if(BERTD_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
else()
  add_compile_options(-fstack-protector-strong)
  add_link_options(-Wl,-z,relro,-z,now)
endif()
# The fuzzer is guided by what it reaches in the rooms, not only in its targets.
if(BERTD_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()
