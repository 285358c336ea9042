# Links a program against the archives of gRPC, Protobuf, Abseil and glog instead of their shared libraries: a program that runs for
# some milliseconds spends most of them in looking up 16,000 names in 70 libraries (client/README.md has figures). What parses what
# strangers send, and is mended oftenest, stays shared: OpenSSL, zlib, c-ares.
#
# Archives stand in front, and the linker takes a library only if a name is still missing then. This holds for mold, which reads
# all files before it decides; with other linkers, and with a sanitizer, everything stays shared.
option(DFS_CLI_ARCHIVES "Link dfs-cli against archives of gRPC, Protobuf, Abseil and glog, so that it starts quickly" ON)

function(dfs_take_archives program)
  if(NOT DFS_CLI_ARCHIVES OR NOT DFS_MOLD OR DFS_SANITIZE)
    return()
  endif()
  set(archives)
  foreach(name grpc++ grpc address_sorting re2 upb gpr protobuf glog gflags xxhash)
    find_library(DFS_ARCHIVE_${name} NAMES lib${name}.a)
    mark_as_advanced(DFS_ARCHIVE_${name})
    list(APPEND archives ${DFS_ARCHIVE_${name}})
  endforeach()
  # Abseil is many; those that are not asked for give nothing.
  find_library(DFS_ARCHIVE_absl NAMES libabsl_base.a)
  find_library(DFS_UNWIND unwind)  # glog's
  mark_as_advanced(DFS_ARCHIVE_absl DFS_UNWIND)
  if("${archives};${DFS_ARCHIVE_absl};${DFS_UNWIND}" MATCHES "NOTFOUND")
    message(STATUS "${program}: not all archives are here; it is linked against shared libraries and starts slower")
    return()
  endif()
  cmake_path(GET DFS_ARCHIVE_absl PARENT_PATH folder)
  file(GLOB abseil ${folder}/libabsl_*.a)
  target_link_options(${program} PRIVATE ${archives} ${abseil} LINKER:--as-needed LINKER:--gc-sections -static-libstdc++)
  target_link_libraries(${program} PRIVATE ${DFS_UNWIND})
  # With some of it shared all the same, there would be two of each, and Protobuf ends a program in which that is so.
  add_custom_command(TARGET ${program} POST_BUILD VERBATIM
    COMMAND sh -c "! '${CMAKE_READELF}' -d '$<TARGET_FILE:${program}>' | grep -E 'NEEDED.*lib(grpc|gpr|upb|protobuf|absl|glog|gflags|stdc)'")

  # Their licences (Apache 2.0, BSD) want their notices to go along with such a program.
  foreach(package libgrpc-dev libprotobuf-dev libabsl-dev libgoogle-glog-dev libgflags-dev libre2-dev libxxhash-dev)
    install(FILES /usr/share/doc/${package}/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR}/third-party RENAME ${package}
      COMPONENT cli OPTIONAL)
  endforeach()
endfunction()
