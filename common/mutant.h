// Mistakes on purpose, to prove that the tests would see them.
//
// `if (DFS_MUTANT(8, "vote leaves before it is durable")) …` puts a mistake of a real system beside
// the line that avoids it. In the product the macro is the constant `false` and nothing of it is
// left. Test-only libraries compile the same sources with -DDFS_MUTANTS; there one mistake at a
// time is switched on, and a test passes if and only if the mistake is detected.
//
// Numbers are unique in the whole project; the number of a mistake and its name are stated where it
// is used, and nowhere else.
#ifndef DFS_COMMON_MUTANT_H_
#define DFS_COMMON_MUTANT_H_

#ifdef DFS_MUTANTS

namespace dfs {

inline int g_active_mutant = 0;  // 0: none. Written before any thread starts.
inline int ActiveMutant() { return g_active_mutant; }
inline void SetActiveMutant(int number) { g_active_mutant = number; }

}  // namespace dfs

#define DFS_MUTANT(number, name) (::dfs::ActiveMutant() == (number))

#else

#define DFS_MUTANT(number, name) false

#endif  // DFS_MUTANTS

#endif  // DFS_COMMON_MUTANT_H_
