# What `cmake --install build/release --prefix P` puts below P, besides the client library (client/library): the programs, what
# starts them, and what explains them. /usr/local in the unit becomes P.
if(NOT DFS_WITH_GRPC)
  return()
endif()

install(TARGETS dfs-server dfs-cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/deploy/examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples/config)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/client/examples/backup ${PROJECT_SOURCE_DIR}/client/examples/tail
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES ${PROJECT_SOURCE_DIR}/client/examples/put_get.py DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/proto/dfs/v1 DESTINATION ${CMAKE_INSTALL_DATADIR}/dfs/proto/dfs)
install(FILES ${PROJECT_SOURCE_DIR}/deploy/systemd/dfs.sysusers DESTINATION lib/sysusers.d RENAME dfs.conf)
install(FILES ${PROJECT_SOURCE_DIR}/deploy/systemd/dfs.tmpfiles DESTINATION lib/tmpfiles.d RENAME dfs.conf)
install(CODE "
  file(READ \"${PROJECT_SOURCE_DIR}/deploy/systemd/dfs-server.service\" unit)
  string(REPLACE /usr/local \"\${CMAKE_INSTALL_PREFIX}\" unit \"\${unit}\")
  set(unit_file \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system/dfs-server.service\")
  message(STATUS \"Installing: \$ENV{DESTDIR}\${unit_file}\")
  file(WRITE \"\$ENV{DESTDIR}\${unit_file}\" \"\${unit}\")")
