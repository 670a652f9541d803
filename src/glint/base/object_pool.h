// Objects that threads borrow and give back, such as work memory: as many are made as were in use at once.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace glint {

/// Thread-safe. Must outlive what was borrowed.
template <class T>
class ObjectPool {
 public:
  /// Gives the object back when it goes.
  class Loan {
   public:
    Loan(ObjectPool& pool, std::unique_ptr<T> object) : pool_(&pool), object_(std::move(object)) {}
    Loan(Loan&&) noexcept = default;
    Loan& operator=(Loan&&) = delete;
    ~Loan() {
      if (object_) pool_->give_back(std::move(object_));
    }
    T& operator*() const { return *object_; }
    T* operator->() const { return object_.get(); }

   private:
    ObjectPool* pool_;
    std::unique_ptr<T> object_;
  };

  /// One that nobody uses, or the std::unique_ptr<T> that `make` returns.
  template <class Make>
  Loan take(const Make& make) {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        std::unique_ptr<T> object = std::move(idle_.back());
        idle_.pop_back();
        return {*this, std::move(object)};
      }
    }
    return {*this, make()};
  }

 private:
  void give_back(std::unique_ptr<T> object) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(object));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> idle_;
};

}  // namespace glint
