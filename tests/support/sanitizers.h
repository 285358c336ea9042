// Which sanitizer this is compiled for: DFS_HAS_ADDRESS_SANITIZER, DFS_HAS_THREAD_SANITIZER.
#ifndef DFS_TESTS_SUPPORT_SANITIZERS_H_
#define DFS_TESTS_SUPPORT_SANITIZERS_H_

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DFS_HAS_ADDRESS_SANITIZER 1
#endif
#if __has_feature(thread_sanitizer)
#define DFS_HAS_THREAD_SANITIZER 1
#endif
#endif

#endif  // DFS_TESTS_SUPPORT_SANITIZERS_H_
