// Serves the requests of one connection: reads each within its limits, has it answered, and ends the
// connection whenever something of a request was left unread, so that it is never taken for the next one.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "glint/station/channel.h"
#include "glint/station/http_message.h"

namespace glint {

struct ConnectionLimits {
  std::chrono::milliseconds request_time{15000};  ///< for a whole request to arrive, however it drips
  std::chrono::milliseconds idle_time{5000};      ///< without a request
  int requests = 1000;
  std::int64_t max_body = std::int64_t{64} << 20;
};

/// Answers a request. A Refusal that it throws becomes the answer; it may leave the body unread.
using HttpHandler = std::function<void(HttpRequest&, HttpResponse&)>;

/// Until the other side closes, `stopping` says so, or a limit is reached.
void serve_connection(Channel& channel, const ConnectionLimits& limits, const HttpHandler& handler,
                      const std::function<bool()>& stopping);

/// The bytes of an answer that ends its connection, for those who never become a request.
std::string closing_answer(const Refusal& refusal);

/// Bytes from a channel, some of them read ahead.
class BufferedInput {
 public:
  explicit BufferedInput(Channel& channel) : channel_(channel) {}

  /// True when bytes are there; false when the time is up, the other side closed, or as soon as `give_up`.
  bool wait(std::chrono::milliseconds time, const std::function<bool()>& give_up);
  /// The head of the next request, for parse_request_head. Refusal 400, 408, 414 or 431.
  std::string read_head(Channel::Time deadline);
  /// At least one byte. Refusal 400 when the connection ended, 408 when the time is up.
  std::size_t read(std::span<char> to, Channel::Time deadline);
  char read_byte(Channel::Time deadline);
  bool empty() const { return begin_ == buffer_.size(); }

 private:
  void more(Channel::Time deadline);

  Channel& channel_;
  std::string buffer_;
  std::size_t begin_ = 0;
};

/// The body of one request, by Content-Length or in chunks.
class RequestBody {
 public:
  RequestBody(const HttpRequest& request, BufferedInput& input, Channel& channel, std::int64_t most,
              Channel::Time deadline);

  /// False when the request said nothing of a body.
  bool announced() const { return announced_; }
  /// What it will be long, when that is known and within the limit; else 0.
  std::size_t expected() const;
  /// The next bytes, 0 at the end. Refusal 413 beyond the limit, 400 and 408 as for the input.
  std::size_t read(std::span<char> to);
  /// All of it, at most `most` bytes. Refusal as above.
  std::string read_all(std::size_t most);
  /// Read to its end.
  bool finished() const { return finished_; }

 private:
  void invite();
  bool next_chunk();
  std::string read_line(std::size_t most);

  BufferedInput& input_;
  Channel& channel_;
  const std::int64_t most_;
  const Channel::Time deadline_;
  const bool announced_, chunked_;
  bool wait_for_invitation_;
  bool finished_;
  bool first_chunk_ = true;
  std::int64_t left_;      ///< of the body, or of the chunk
  std::int64_t read_ = 0;  ///< in all
};

}  // namespace glint
