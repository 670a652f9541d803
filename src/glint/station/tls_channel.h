// TLS by OpenSSL over a socket under the same deadlines as an open connection.
#pragma once

#include <memory>
#include <string>

#include "glint/station/channel.h"

struct ssl_ctx_st;
struct ssl_st;

namespace glint {

/// Certificate and key of the server. Thread-safe once made.
class TlsContext {
 public:
  /// PEM files; the certificate may be a chain. Error(kConfig) when they are not a valid pair.
  TlsContext(const std::string& certificate, const std::string& key);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  ssl_ctx_st* get() const { return context_; }

 private:
  ssl_ctx_st* context_;
};

/// Threads that use one must block SIGPIPE: OpenSSL writes to a socket that the other side may have closed.
class TlsChannel : public Channel {
 public:
  TlsChannel(const TlsContext& context, Socket socket);
  ~TlsChannel() override;

  /// Before anything else; false when the other side speaks no acceptable TLS or is not done in time.
  bool handshake(Time deadline);

  std::optional<std::size_t> read(std::span<char> to, Time deadline) override;
  bool write(std::string_view bytes, Time deadline) override;
  bool abandoned() override;
  void finish(Time deadline, std::size_t most) override;
  std::string local_address() const override { return socket_.local_address(); }
  bool secure() const override { return true; }

 private:
  enum class Wait { kReady, kTimeIsUp, kBroken };
  Wait wait_after(int result, Time deadline);

  Socket socket_;
  ssl_st* ssl_;
  bool broken_ = false;  ///< after a fatal error SSL_shutdown must not be called
};

}  // namespace glint
