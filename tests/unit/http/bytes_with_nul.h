// Literals that hold a NUL.
#ifndef DFS_TESTS_UNIT_HTTP_BYTES_WITH_NUL_H_
#define DFS_TESTS_UNIT_HTTP_BYTES_WITH_NUL_H_

#include <cstddef>
#include <string>

namespace dfs::http {

// All of it, but for the NUL that ends it.
template <std::size_t N>
std::string WithNul(const char (&text)[N]) {
  return std::string(text, N - 1);
}

}  // namespace dfs::http

#endif  // DFS_TESTS_UNIT_HTTP_BYTES_WITH_NUL_H_
