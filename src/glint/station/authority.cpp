#include "glint/station/authority.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/station/http_head.h"

namespace glint {
namespace {

constexpr std::size_t kLongestName = 253, kLongestLabel = 63;  // RFC 1035

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::optional<Authority> ipv4(const std::string& text) {
  in_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) return std::nullopt;
  return Authority{Authority::Kind::kIpv4, text, std::nullopt};
}

std::optional<Authority> ipv6(const std::string& text) {
  in6_addr address{};
  if (inet_pton(AF_INET6, text.c_str(), &address) != 1) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> out{};
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    inet_ntop(AF_INET, &address.s6_addr[12], out.data(), out.size());
    return Authority{Authority::Kind::kIpv4, out.data(), std::nullopt};
  }
  inet_ntop(AF_INET6, &address, out.data(), out.size());
  return Authority{Authority::Kind::kIpv6, out.data(), std::nullopt};
}

/// A last label that a browser would read as a number makes the whole an odd IPv4 address: "127.1", "0x7f.1".
bool ends_in_number(std::string_view name) {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  return std::all_of(last.begin(), last.end(), is_digit) || last.starts_with("0x");
}

std::optional<Authority> name(std::string_view text) {
  std::string host = ascii_lower(text);
  if (host.ends_with('.')) host.pop_back();
  if (host.empty() || host.size() > kLongestName || ends_in_number(host)) return std::nullopt;
  std::size_t label = 0;
  for (const char c : host) {
    if (c == '.') {
      if (label == 0) return std::nullopt;
      label = 0;
    } else if (is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_') {
      if (++label > kLongestLabel) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  if (label == 0) return std::nullopt;
  return Authority{Authority::Kind::kName, std::move(host), std::nullopt};
}

/// Of digits alone; an empty one counts as none.
bool read_port(std::string_view text, std::optional<int>& port) {
  if (text.empty()) return true;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!is_digit(text[0]) || error != std::errc() || end != text.data() + text.size() || value < 1 ||
      value > 65535)
    return false;
  port = value;
  return true;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  std::optional<Authority> out;
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    out = ipv6(std::string(text.substr(1, end - 1)));
    rest = text.substr(end + 1);
  } else {
    const auto end = std::min(text.find(':'), text.size());
    const std::string host(text.substr(0, end));
    out = ipv4(host);
    if (!out) out = name(host);
    rest = text.substr(end);
  }
  if (!out || (!rest.empty() && (rest[0] != ':' || !read_port(rest.substr(1), out->port))))
    return std::nullopt;
  return out;
}

std::optional<Authority> parse_host(std::string_view text) {
  if (auto address = ipv6(std::string(text))) return address;
  auto out = parse_authority(text);
  if (out && (out->port || text.ends_with(':'))) return std::nullopt;
  return out;
}

bool is_loopback(const Authority& authority) {
  switch (authority.kind) {
    case Authority::Kind::kIpv4:
      return authority.host.starts_with("127.");
    case Authority::Kind::kIpv6:
      return authority.host == "::1";
    case Authority::Kind::kName:
      return authority.host == "localhost";
  }
  return false;
}

bool same_origin(std::string_view origin, const Authority& asked, bool secure) {
  const auto end = origin.find("://");
  if (end == std::string_view::npos) return false;
  const std::string scheme = ascii_lower(origin.substr(0, end));
  if (scheme != "https" && (scheme != "http" || secure)) return false;
  const auto page = parse_authority(origin.substr(end + 3));
  const int usual = scheme == "https" ? 443 : 80;
  return page && page->kind == asked.kind && page->host == asked.host &&
         page->port.value_or(usual) == asked.port.value_or(usual);
}

HostRule::HostRule(const std::string& listen, const std::vector<std::string>& names) {
  if (const auto host = parse_host(listen)) hosts_.push_back(host->host);
  for (const std::string& text : names) {
    const auto host = parse_host(text);
    if (!host)
      fail(ErrorCode::kConfig, "--host {}: not a host name or address; give it without scheme and port",
           name_line(text));
    hosts_.push_back(host->host);
  }
}

bool HostRule::answers(const Authority& asked, const std::string& local_address) const {
  if (is_loopback(asked) || std::find(hosts_.begin(), hosts_.end(), asked.host) != hosts_.end()) return true;
  const auto local = parse_host(local_address);
  return local && local->kind == asked.kind && local->host == asked.host;
}

}  // namespace glint
