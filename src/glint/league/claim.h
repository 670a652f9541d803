// Who computes a cell: claims by files in a folder that several machines may share. A worker that dies leaves
// a claim that is no longer renewed, and another takes the cell over. Needs nothing of the file system but
// that a file can be created exclusively, on NFS too.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace glint {

/// One worker's claim on one cell: the file `ID.N` of the highest N, renewed (its time of change) until it is
/// given back. Each taking makes the next N with an exclusive creation, so that of several who find a claim
/// expired one wins. Nothing is removed.
class CellClaim {
 public:
  struct Taken {
    std::unique_ptr<CellClaim> claim;  ///< nullptr: somebody who lives holds it
    std::string holder;                ///< who held it before or holds it now, for messages; may be empty
    int generation = 0;                ///< N of the newest claim
    double lease_seconds = 0;          ///< of the newest claim
  };
  /// A claim counts as its worker's until `lease_seconds`, of the holder's choice, have passed since it was
  /// renewed (by the file system's clock), or the process is found dead on this machine. Error(kIo) when
  /// the folder cannot be written.
  static Taken take(const std::filesystem::path& folder, const std::string& id, double lease_seconds);

  ~CellClaim();  ///< gives it back: another may take the cell at once
  CellClaim(const CellClaim&) = delete;
  CellClaim& operator=(const CellClaim&) = delete;

  /// Another worker has taken the cell over, as this one slept too long: its result is not to be written.
  bool lost() const;
  int generation() const { return generation_; }
  /// Claims after `since` whose workers neither finished nor gave them back.
  int deaths(int since) const;

 private:
  class Renewal;
  CellClaim(std::filesystem::path folder, std::string id, int generation, double lease_seconds);

  std::filesystem::path folder_;
  std::string id_;
  int generation_;
  std::unique_ptr<Renewal> renewal_;
};

/// "host, process 123": this one, as claims and results name it.
std::string worker_name();

}  // namespace glint
