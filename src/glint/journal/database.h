// SQLite as values: a connection and prepared statements that close themselves, and errors as glint::Error.
// Knows nothing of what is stored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace glint {

enum class DatabaseAccess { kReadOnly, kReadWrite };

/// One connection. Not thread-safe; the owner locks.
class Database {
 public:
  /// Creates the file when it may write and it is absent. Errors name the file: kNotFound, kBadInput when it
  /// is no database, kIo otherwise.
  Database(const std::filesystem::path& path, DatabaseAccess access);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs one or more statements without results.
  void execute(const std::string& sql);
  std::int64_t integer(const std::string& sql);  ///< first column of the first row; 0 without a row

  /// Error with SQLite's message and what to do about it.
  [[noreturn]] void raise(int code) const;

 private:
  friend class Statement;
  std::filesystem::path path_;
  sqlite3* handle_ = nullptr;
};

/// One prepared statement. Bind in order, then step.
class Statement {
 public:
  Statement(Database& database, std::string_view sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(std::int64_t value);
  Statement& bind(std::string_view text);
  /// True while there is a row.
  bool step();
  /// Runs a statement that returns no rows and makes it ready to be bound again.
  void run();

  std::int64_t integer(int column) const;
  std::string text(int column) const;
  bool is_null(int column) const;

 private:
  Database& database_;
  sqlite3_stmt* handle_ = nullptr;
  int bound_ = 0;
};

/// Rolls back unless committed.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace glint
