#include "glint/station/tls_channel.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <algorithm>
#include <climits>
#include <new>

#include "glint/base/error.h"
#include "glint/base/names.h"

namespace glint {
namespace {

/// HTTP/1.1 is all that is spoken; a client that offers more is told so.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
                    unsigned int in_length, void*) {
  static constexpr unsigned char kSpoken[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_length, kSpoken, sizeof(kSpoken) - 1, in, in_length) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

TlsContext::TlsContext(const std::string& certificate, const std::string& key)
    : context_(SSL_CTX_new(TLS_server_method())) {
  GLINT_CHECK(context_ != nullptr);
  SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
  SSL_CTX_set_options(context_, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(context_, choose_protocol, nullptr);
  const bool valid = SSL_CTX_use_certificate_chain_file(context_, certificate.c_str()) == 1 &&
                     SSL_CTX_use_PrivateKey_file(context_, key.c_str(), SSL_FILETYPE_PEM) == 1 &&
                     SSL_CTX_check_private_key(context_) == 1;
  if (!valid) {
    ERR_clear_error();
    SSL_CTX_free(context_);
    fail(ErrorCode::kConfig, "--tls-certificate {} and --tls-key {}: not a valid pair of PEM files",
         name_line(certificate), name_line(key));
  }
}

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

TlsChannel::TlsChannel(const TlsContext& context, Socket socket)
    : socket_(std::move(socket)), ssl_(SSL_new(context.get())) {
  if (ssl_ == nullptr) throw std::bad_alloc();
  SSL_set_fd(ssl_, socket_.handle());
}

TlsChannel::~TlsChannel() {
  SSL_free(ssl_);
}

TlsChannel::Wait TlsChannel::wait_after(int result, Time deadline) {
  short events = POLLIN;
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      break;
    case SSL_ERROR_WANT_WRITE:
      events = POLLOUT;
      break;
    case SSL_ERROR_ZERO_RETURN:
      return Wait::kBroken;  // closed in order; our own close may still be said
    default:
      broken_ = true;
      return Wait::kBroken;
  }
  return socket_.wait(events, deadline) ? Wait::kReady : Wait::kTimeIsUp;
}

bool TlsChannel::handshake(Time deadline) {
  while (true) {
    ERR_clear_error();
    const int result = SSL_accept(ssl_);
    if (result == 1) return true;
    if (wait_after(result, deadline) != Wait::kReady) {
      broken_ = true;
      return false;
    }
    // A peer that drips its handshake never lets the socket wait; the time holds all the same.
    if (std::chrono::steady_clock::now() > deadline) {
      broken_ = true;
      return false;
    }
  }
}

std::optional<std::size_t> TlsChannel::read(std::span<char> to, Time deadline) {
  while (true) {
    ERR_clear_error();
    const int got = SSL_read(ssl_, to.data(), static_cast<int>(std::min<std::size_t>(to.size(), INT_MAX)));
    if (got > 0) return static_cast<std::size_t>(got);
    switch (wait_after(got, deadline)) {
      case Wait::kReady:
        break;
      case Wait::kTimeIsUp:
        return std::nullopt;
      case Wait::kBroken:
        return 0;
    }
    if (std::chrono::steady_clock::now() > deadline) return std::nullopt;  // records without data
  }
}

bool TlsChannel::write(std::string_view bytes, Time deadline) {
  while (!bytes.empty()) {
    ERR_clear_error();
    const int sent =
        SSL_write(ssl_, bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX)));
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (wait_after(sent, deadline) != Wait::kReady) {
      return false;
    }
  }
  return true;
}

bool TlsChannel::abandoned() {
  char probe = 0;
  ERR_clear_error();
  const int got = SSL_peek(ssl_, &probe, 1);
  if (got > 0) return false;
  switch (SSL_get_error(ssl_, got)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return false;
    case SSL_ERROR_ZERO_RETURN:
      return true;
    default:
      broken_ = true;
      return true;
  }
}

void TlsChannel::finish(Time deadline, std::size_t most) {
  ERR_clear_error();
  if (!broken_) SSL_shutdown(ssl_);
  socket_.finish(deadline, most);  // what still comes need not be deciphered
}

}  // namespace glint
