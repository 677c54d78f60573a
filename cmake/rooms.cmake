# bertd_room(NAME FOLDER [ROOM...]): one static library of the .c files in FOLDER, which may use the named rooms.
# Includes are written from the repository's root ("base/status.h", "accel/board.h").
function(bertd_room name folder)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.c)
  if(NOT sources)
    message(FATAL_ERROR "room ${name}: no source in ${folder}")
  endif()
  add_library(bertd_${name} STATIC ${sources})
  target_include_directories(bertd_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  list(TRANSFORM ARGN PREPEND bertd_)
  target_link_libraries(bertd_${name} PUBLIC ${ARGN})
endfunction()
