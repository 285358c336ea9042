// A bound on what is under way at once.
#ifndef DFS_COMMON_ADMISSION_H_
#define DFS_COMMON_ADMISSION_H_

#include <atomic>

namespace dfs {

// Admits at most `calls_max` calls at once. Each call takes a ticket and is refused by its caller if the ticket is not
// admitted. Never blocks. Thread-safe; outlives its tickets.
class Admission {
 public:
  explicit Admission(int calls_max) : calls_max_(calls_max) {}

  class Ticket {
   public:
    explicit Ticket(Admission* admission)
        : admission_(admission), is_admitted_(admission->Enter()) {}
    ~Ticket() {
      if (is_admitted_) --admission_->calls_;
    }
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    [[nodiscard]] bool is_admitted() const { return is_admitted_; }

   private:
    Admission* const admission_;
    const bool is_admitted_;
  };

 private:
  bool Enter() {
    if (++calls_ <= calls_max_) return true;
    --calls_;
    return false;
  }
  const int calls_max_;
  std::atomic<int> calls_ = 0;
};

}  // namespace dfs

#endif  // DFS_COMMON_ADMISSION_H_
