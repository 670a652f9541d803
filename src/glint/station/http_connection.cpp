#include "glint/station/http_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <ctime>
#include <limits>

#include "glint/station/http_head.h"

namespace glint {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kWriteTime{10000};       ///< for a short answer
constexpr std::size_t kSlowestBytesPerMs = 64;  ///< for a long one, 64 KB/s
constexpr milliseconds kLastReadTime{2000};     ///< for the other side to read a last answer
constexpr std::size_t kMostDropped = std::size_t{64} << 20;
constexpr std::size_t kLongestChunkLine = 256;
constexpr int kMostTrailers = 32;
constexpr std::int64_t kLargestExpected = std::int64_t{64} << 20;

const char* reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Answer";
  }
}

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[static_cast<std::size_t>(parts.tm_wday)],
                     parts.tm_mday, kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

constexpr std::string_view kSecurityHeaders =
    "X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Content-Security-Policy: default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri "
    "'none'; form-action 'self'; object-src 'none'\r\n";

std::string head_of(const HttpResponse& response, bool close, bool chunked) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status,
                                reason_phrase(response.status), http_date());
  for (const auto& [name, value] : response.headers) out += fmt::format("{}: {}\r\n", name, value);
  out += kSecurityHeaders;
  if (chunked) {
    out += "Transfer-Encoding: chunked\r\n";
  } else if (!response.stream) {
    out += fmt::format("Content-Length: {}\r\n", response.body.size());
  }
  if (close) out += "Connection: close\r\n";
  return out + "\r\n";
}

bool write_bytes(Channel& channel, std::string_view bytes) {
  const milliseconds more{static_cast<std::int64_t>(bytes.size() / kSlowestBytesPerMs)};
  return channel.write(bytes, Clock::now() + kWriteTime + more);
}

bool write_stream(Channel& channel, const HttpResponse& response, bool chunked) {
  while (const auto piece = response.stream()) {
    if (channel.abandoned()) return false;
    if (piece->empty()) continue;
    const std::string framed = chunked ? fmt::format("{:x}\r\n{}\r\n", piece->size(), *piece) : *piece;
    if (!write_bytes(channel, framed)) return false;
  }
  return !chunked || write_bytes(channel, "0\r\n\r\n");
}

/// `close`: whether the connection ends after this answer.
bool write_answer(Channel& channel, const HttpRequest& request, const HttpResponse& response, bool close) {
  const bool chunked = response.stream && !request.http_1_0;
  std::string bytes = head_of(response, close, chunked);
  if (request.method == "HEAD") return write_bytes(channel, bytes);
  if (!response.stream) return write_bytes(channel, bytes += response.body);
  return write_bytes(channel, bytes) && write_stream(channel, response, chunked);
}

/// One request; false when the connection has to end.
bool serve_request(Channel& channel, BufferedInput& input, const ConnectionLimits& limits,
                   const HttpHandler& handler, bool last) {
  const Channel::Time deadline = Clock::now() + limits.request_time;
  HttpRequest request;
  HttpResponse response;
  try {
    request = parse_request_head(input.read_head(deadline));
  } catch (const Refusal& refusal) {
    write_bytes(channel, closing_answer(refusal));
    return false;
  }
  request.local_address = channel.local_address();
  request.secure = channel.secure();
  RequestBody body(request, input, channel, limits.max_body, deadline);
  request.body = &body;
  try {
    handler(request, response);
  } catch (const Refusal& refusal) {
    response.refuse(refusal);
  } catch (const std::exception& e) {
    response.refuse({500, e.what()});
  }
  const bool endless = response.stream && request.http_1_0;
  const bool close = last || !request.keep_alive || !body.finished() || endless;
  return write_answer(channel, request, response, close) && !close;
}

}  // namespace

void serve_connection(Channel& channel, const ConnectionLimits& limits, const HttpHandler& handler,
                      const std::function<bool()>& stopping) {
  BufferedInput input(channel);
  bool ended_by_answer = false;
  for (int left = limits.requests; left > 0 && !ended_by_answer; --left) {
    if (!input.wait(limits.idle_time, stopping)) break;
    ended_by_answer = !serve_request(channel, input, limits, handler, left == 1 || stopping());
  }
  channel.finish(Clock::now() + (ended_by_answer ? kLastReadTime : milliseconds(0)),
                 ended_by_answer ? kMostDropped : 0);
}

std::string closing_answer(const Refusal& refusal) {
  HttpResponse response;
  response.refuse(refusal);
  return head_of(response, true, false) + response.body;
}

bool BufferedInput::wait(milliseconds time, const std::function<bool()>& give_up) {
  const auto until = Clock::now() + time;
  while (empty()) {
    const auto now = Clock::now();
    if (give_up() || now > until) return false;
    buffer_.resize(16384);
    begin_ = 0;
    const auto got = channel_.read(buffer_, std::min(until, now + milliseconds(100)));
    buffer_.resize(got.value_or(0));
    if (got && *got == 0) return false;
  }
  return true;
}

void BufferedInput::more(Channel::Time deadline) {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const std::size_t had = buffer_.size();
  buffer_.resize(had + 16384);
  const auto got =
      Clock::now() > deadline ? std::nullopt : channel_.read(std::span(buffer_).subspan(had), deadline);
  buffer_.resize(had + got.value_or(0));
  if (!got) throw Refusal{408, "the request did not arrive in time"};
  if (*got == 0) throw Refusal{400, "the request ended early"};
}

std::string BufferedInput::read_head(Channel::Time deadline) {
  std::size_t at = begin_, line = begin_;  // offsets move with begin_ whenever more() shifts the buffer
  const auto available = [&] {
    if (at < buffer_.size()) return;
    at -= begin_;
    line -= begin_;
    more(deadline);
  };
  bool request_line = true, skipped = false;
  while (true) {
    available();
    const char c = buffer_[at++];
    if (at - begin_ > kLongestHead) throw Refusal{431, "the headers are too large"};
    if (request_line && at - line > kLongestRequestLine + 2) throw Refusal{414, "the address is too long"};
    // What is no HTTP at all, such as a TLS greeting, need not wait for a line end that never comes.
    if (at == line + 1 && request_line && c != '\r' && !is_token(std::string_view(&c, 1)))
      throw Refusal{400, "this is not HTTP; does the client expect TLS here?"};
    if (c != '\n') continue;
    if (at - line < 2 || buffer_[at - 2] != '\r')
      throw Refusal{400, "every line of a request's head ends with CRLF"};
    const bool empty_line = at - line == 2;
    line = at;
    if (request_line && empty_line && !skipped) {  // RFC 9112, 2.2: some clients end a body with one more
      begin_ = at;
      skipped = true;
      continue;
    }
    request_line = false;
    if (empty_line) break;
  }
  std::string head = buffer_.substr(begin_, at - begin_);
  begin_ = at;
  return head;
}

std::size_t BufferedInput::read(std::span<char> to, Channel::Time deadline) {
  if (empty()) more(deadline);
  const std::size_t taken = std::min(to.size(), buffer_.size() - begin_);
  std::memcpy(to.data(), buffer_.data() + begin_, taken);
  begin_ += taken;
  return taken;
}

char BufferedInput::read_byte(Channel::Time deadline) {
  char byte = 0;
  read(std::span(&byte, 1), deadline);
  return byte;
}

RequestBody::RequestBody(const HttpRequest& request, BufferedInput& input, Channel& channel,
                         std::int64_t most, Channel::Time deadline)
    : input_(input),
      channel_(channel),
      most_(most),
      deadline_(deadline),
      announced_(request.chunked || request.content_length),
      chunked_(request.chunked),
      wait_for_invitation_(request.expects_continue),
      finished_(!request.chunked && request.content_length.value_or(0) == 0),
      left_(request.content_length.value_or(0)) {}

std::size_t RequestBody::expected() const {
  return chunked_ || left_ > std::min(most_, kLargestExpected) ? 0 : static_cast<std::size_t>(left_);
}

void RequestBody::invite() {
  if (wait_for_invitation_ && input_.empty()) write_bytes(channel_, "HTTP/1.1 100 Continue\r\n\r\n");
  wait_for_invitation_ = false;
}

std::string RequestBody::read_line(std::size_t most) {
  std::string line;
  while (true) {
    const char c = input_.read_byte(deadline_);
    if (c == '\n') {
      if (!line.ends_with('\r')) throw Refusal{400, "every line between chunks ends with CRLF"};
      line.pop_back();
      if (line.find('\r') != std::string::npos) throw Refusal{400, "a line between chunks holds a lone CR"};
      return line;
    }
    line += c;
    if (line.size() > most) throw Refusal{400, "a line between chunks is too long"};
  }
}

/// RFC 9112, 7.1; extensions are allowed and ignored. False at the last chunk, its trailers read.
bool RequestBody::next_chunk() {
  if (!first_chunk_ && !read_line(1).empty()) throw Refusal{400, "a chunk is longer than it says"};
  first_chunk_ = false;
  const std::string line = read_line(kLongestChunkLine);
  std::size_t digits = 0;
  std::int64_t size = 0;
  for (; digits < line.size() && std::isxdigit(static_cast<unsigned char>(line[digits])) != 0; ++digits) {
    const char c = line[digits];
    if (digits == 15) throw Refusal{413, "the body is larger than --max-body allows"};
    size = size * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  const auto rest = line.find_first_not_of(" \t", digits);
  if (digits == 0 || (rest != std::string::npos && line[rest] != ';') ||
      (rest == std::string::npos && digits != line.size()))
    throw Refusal{400, "a chunk does not start with its size"};
  if (size > most_ - read_) throw Refusal{413, "the body is larger than --max-body allows"};
  left_ = size;
  if (size > 0) return true;
  for (int trailers = 0; !read_line(kLongestRequestLine).empty(); ++trailers) {
    if (trailers == kMostTrailers) throw Refusal{431, "too many trailers"};
  }
  return false;
}

std::size_t RequestBody::read(std::span<char> to) {
  if (finished_) return 0;
  if (!chunked_ && left_ > most_ - read_) throw Refusal{413, "the body is larger than --max-body allows"};
  invite();
  if (chunked_ && left_ == 0 && !next_chunk()) {
    finished_ = true;
    return 0;
  }
  const auto wanted = static_cast<std::size_t>(std::min<std::int64_t>(left_, std::ssize(to)));
  const std::size_t got = input_.read(to.first(wanted), deadline_);
  left_ -= static_cast<std::int64_t>(got);
  read_ += static_cast<std::int64_t>(got);
  if (!chunked_ && left_ == 0) finished_ = true;
  return got;
}

std::string RequestBody::read_all(std::size_t most) {
  std::string out;
  std::array<char, 16384> piece;
  while (const std::size_t got = read(piece)) {
    if (out.size() + got > most) throw Refusal{413, fmt::format("the body is longer than {} bytes", most)};
    out.append(piece.data(), got);
  }
  return out;
}

}  // namespace glint
