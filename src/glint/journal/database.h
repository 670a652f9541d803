// SQLite as values: a connection and prepared statements that close themselves, and errors as glint::Error.
// Knows nothing of what is stored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace glint {

enum class DatabaseAccess { kReadOnly, kReadWrite };

/// A statement with the values of its question marks, in order.
struct Query {
  std::string sql;
  std::vector<std::variant<std::int64_t, std::string>> values;
};

/// One connection. Not thread-safe; the owner locks.
class Database {
 public:
  /// Creates the file when it may write and it is absent. Read-only access also works where nothing can be
  /// written (an archive, a folder of somebody else): there SQLite's shared memory is done without, and what
  /// a write-ahead log beside the file holds is read with it. Errors name the file: kNotFound, kBadInput when
  /// it is no database, kIo otherwise.
  Database(const std::filesystem::path& path, DatabaseAccess access);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs one or more statements without results.
  void execute(const std::string& sql);
  std::int64_t integer(const std::string& sql);  ///< first column of the first row; 0 without a row

  /// True when part of what is read lies in the write-ahead log (FILE-wal) of a place without write access.
  bool reads_leftover_log() const { return reads_leftover_log_; }

  /// Error with SQLite's message and what to do about it.
  [[noreturn]] void raise(int code) const;

 private:
  friend class Statement;
  int open(const std::string& name, int flags);
  int probe() const;  ///< SQLite's code of a first read
  void open_without_shared_memory();

  std::filesystem::path path_;
  sqlite3* handle_ = nullptr;
  bool reads_leftover_log_ = false;
};

/// One prepared statement. Bind in order, then step.
class Statement {
 public:
  Statement(Database& database, std::string_view sql);
  Statement(Database& database, const Query& query);  ///< bound
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(std::int64_t value);
  Statement& bind(std::string_view text);
  /// True while there is a row.
  bool step();
  /// Runs a statement that returns no rows and makes it ready to be bound again.
  void run();
  /// Ready to be bound again.
  void reset();

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
