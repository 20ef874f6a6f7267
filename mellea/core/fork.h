// Whether an object came into this process by fork().
#pragma once

namespace mellea {

// How often this process descends by fork() from the one that asked first. Costs one load.
unsigned fork_epoch() noexcept;

// A member of what owns threads or sockets: neither lives on in a child process.
class ForkMark {
 public:
  bool inherited() const noexcept { return epoch_ != fork_epoch(); }

 private:
  unsigned epoch_ = fork_epoch();
};

}  // namespace mellea
