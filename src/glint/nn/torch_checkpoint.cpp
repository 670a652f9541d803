#include "glint/nn/torch_checkpoint.h"

#include <zip.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr std::size_t kMaxNodes = 400'000;  // a large transformer's checkpoint has some ten thousand
constexpr std::size_t kMaxDimensions = 16;
/// Views share storages, and few do: all tensors together may take this many times the file's size.
constexpr std::size_t kMaxExpansion = 8;
constexpr std::size_t kMark = static_cast<std::size_t>(-1);

enum class Kind { kNone, kNumber, kText, kSequence, kDict, kGlobal, kStorage, kTensor };

/// Values live in an arena and refer to each other by index: no recursion and no cycles to free.
struct Node {
  Kind kind = Kind::kNone;
  std::int64_t number = 0;         // kNumber; kStorage: element count; kTensor: storage node
  std::string text;                // kText, kGlobal; kStorage: key
  std::vector<std::size_t> items;  // kSequence; kDict: key, value, key, value ...
  DType dtype = DType::kF32;       // kStorage
  std::int64_t offset = 0;         // kTensor, in elements
  std::vector<std::int64_t> shape, stride;
};

std::optional<DType> storage_dtype(const std::string& global) {
  static const std::map<std::string, DType> kTypes = {
      {"torch FloatStorage", DType::kF32},  {"torch HalfStorage", DType::kF16},
      {"torch DoubleStorage", DType::kF64}, {"torch BFloat16Storage", DType::kBF16},
      {"torch LongStorage", DType::kI64},   {"torch IntStorage", DType::kI32},
      {"torch ShortStorage", DType::kI16},  {"torch CharStorage", DType::kI8},
      {"torch ByteStorage", DType::kU8},    {"torch BoolStorage", DType::kBool}};
  const auto it = kTypes.find(global);
  return it == kTypes.end() ? std::nullopt : std::optional(it->second);
}

class PickleMachine {
 public:
  PickleMachine(std::span<const std::byte> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}

  std::size_t position() const { return position_; }
  const Node& node(std::size_t i) const { return arena_[i]; }
  std::size_t node_count() const { return arena_.size(); }

  /// Runs one pickle from the current position to its STOP and returns the result's index.
  std::size_t run() {
    stack_.clear();
    memo_.clear();
    for (;;) {
      const auto op = static_cast<unsigned char>(u8());
      switch (op) {
        case 0x80:  // PROTO
          u8();
          break;
        case 0x95:  // FRAME
          take(8);
          break;
        case '.':
          return pop();
        case '(':
          stack_.push_back(kMark);
          break;
        case 'N':
          push({});
          break;
        case 0x88:
          push_number(1);
          break;
        case 0x89:
          push_number(0);
          break;
        case 'J':
          push_number(static_cast<std::int32_t>(little(4)));
          break;
        case 'K':
          push_number(static_cast<std::int64_t>(little(1)));
          break;
        case 'M':
          push_number(static_cast<std::int64_t>(little(2)));
          break;
        case 0x8a:  // LONG1
          push_long(little(1));
          break;
        case 'G':  // BINFLOAT: no tensor dictionary needs its value
          take(8);
          push_number(0);
          break;
        case 'X':
        case 'T':
          push_text(little(4));
          break;
        case 0x8c:
        case 'U':
          push_text(little(1));
          break;
        case '}':
          push({.kind = Kind::kDict});
          break;
        case ']':
        case ')':
          push({.kind = Kind::kSequence});
          break;
        case 't': {
          auto items = pop_to_mark();
          push({.kind = Kind::kSequence, .items = std::move(items)});
          break;
        }
        case 0x85:
        case 0x86:
        case 0x87: {
          std::vector<std::size_t> items(op - 0x84U);
          for (auto it = items.rbegin(); it != items.rend(); ++it) *it = pop();
          push({.kind = Kind::kSequence, .items = std::move(items)});
          break;
        }
        case 'a': {
          const std::size_t item = pop();
          container(Kind::kSequence).items.push_back(item);
          break;
        }
        case 'e': {
          const auto items = pop_to_mark();
          auto& target = container(Kind::kSequence).items;
          target.insert(target.end(), items.begin(), items.end());
          break;
        }
        case 's': {
          const std::size_t value = pop(), key = pop();
          auto& target = container(Kind::kDict).items;
          target.push_back(key);
          target.push_back(value);
          break;
        }
        case 'u': {
          const auto items = pop_to_mark();
          if (items.size() % 2 != 0) broken("a dictionary with a key without value");
          auto& target = container(Kind::kDict).items;
          target.insert(target.end(), items.begin(), items.end());
          break;
        }
        case 'q':
          memo_[little(1)] = top();
          break;
        case 'r':
          memo_[little(4)] = top();
          break;
        case 0x94:
          memo_[memo_.size()] = top();
          break;
        case 'h':
          push_memo(little(1));
          break;
        case 'j':
          push_memo(little(4));
          break;
        case 'c': {
          const std::string module = line();
          push_global(module, line());
          break;
        }
        case 0x93: {
          const std::string name = text_of(pop());
          push_global(text_of(pop()), name);
          break;
        }
        case 'Q':
          push_persistent(pop());
          break;
        case 'R': {
          const std::size_t arguments = pop();
          reduce(pop(), arguments);
          break;
        }
        case 'b':  // BUILD: attributes of an ordered dictionary (torch's _metadata); not tensors, dropped
          pop();
          if (arena_[top()].kind != Kind::kDict) broken("an object with state");
          break;
        default:
          broken(fmt::format("pickle operation 0x{:02x} is not part of a plain tensor dictionary", op));
      }
      if (std::max({arena_.size(), stack_.size(), memo_.size()}) > kMaxNodes) broken("too many objects");
    }
  }

  [[noreturn]] void broken(const std::string& why) const {
    fail(ErrorCode::kBadInput,
         "{}: not a plain tensor checkpoint ({}); export it as safetensors or a state_dict", name_, why);
  }

  std::span<const std::byte> take(std::size_t n) {
    if (n > bytes_.size() - position_) broken("it ends too early");
    position_ += n;
    return bytes_.subspan(position_ - n, n);
  }

 private:
  unsigned u8() { return static_cast<unsigned>(take(1)[0]); }
  std::uint64_t little(std::size_t n) {
    std::uint64_t v = 0;
    std::memcpy(&v, take(n).data(), n);
    return v;
  }
  std::string line() {
    std::string out;
    for (unsigned c = u8(); c != '\n'; c = u8()) {
      out += static_cast<char>(c);
      if (out.size() > 1000) broken("a global with an endless name");
    }
    return out;
  }
  void push(Node node) {
    arena_.push_back(std::move(node));
    stack_.push_back(arena_.size() - 1);
  }
  void push_number(std::int64_t v) { push({.kind = Kind::kNumber, .number = v}); }
  void push_long(std::size_t n) {
    const auto data = take(n);
    // Longer than 64 bits only for torch's magic number, whose value is checked as bytes by the caller.
    std::uint64_t v = 0;
    std::memcpy(&v, data.data(), std::min<std::size_t>(n, 8));
    if (n > 0 && n < 8 && (static_cast<unsigned>(data[n - 1]) & 0x80U)) v |= ~std::uint64_t{0} << (8 * n);
    push_number(static_cast<std::int64_t>(v));
  }
  void push_text(std::size_t n) {
    const auto data = take(n);
    push({.kind = Kind::kText, .text = std::string(reinterpret_cast<const char*>(data.data()), n)});
  }
  void push_memo(std::uint64_t key) {
    const auto it = memo_.find(key);
    if (it == memo_.end()) broken("a reference to nothing");
    stack_.push_back(it->second);
  }
  void push_global(const std::string& module, const std::string& symbol) {
    const std::string global = module + " " + symbol;
    if (global != "collections OrderedDict" && global != "torch._utils _rebuild_tensor_v2" &&
        global != "torch._utils _rebuild_parameter" && !storage_dtype(global)) {
      broken(fmt::format("it asks for the Python object {}.{}", module, symbol));
    }
    push({.kind = Kind::kGlobal, .text = global});
  }
  std::size_t pop() {
    const std::size_t i = top();
    stack_.pop_back();
    return i;
  }
  std::size_t top() const {
    if (stack_.empty() || stack_.back() == kMark) broken("its stack runs empty");
    return stack_.back();
  }
  std::vector<std::size_t> pop_to_mark() {
    std::vector<std::size_t> items;
    for (;;) {
      if (stack_.empty()) broken("its stack runs empty");
      const std::size_t i = stack_.back();
      stack_.pop_back();
      if (i == kMark) break;
      items.push_back(i);
    }
    std::reverse(items.begin(), items.end());
    return items;
  }
  Node& container(Kind kind) {
    Node& n = arena_[top()];
    if (n.kind != kind) broken("items added to something that holds none");
    return n;
  }
  const std::string& text_of(std::size_t i) const {
    if (arena_[i].kind != Kind::kText) broken("a name that is not text");
    return arena_[i].text;
  }
  std::int64_t number_of(std::size_t i) const {
    if (arena_[i].kind != Kind::kNumber) broken("a size that is not a number");
    return arena_[i].number;
  }
  std::vector<std::int64_t> numbers_of(std::size_t i) const {
    if (arena_[i].kind != Kind::kSequence) broken("a shape that is not a tuple");
    if (arena_[i].items.size() > kMaxDimensions) broken("a shape of too many dimensions");
    std::vector<std::int64_t> out;
    for (const std::size_t item : arena_[i].items) out.push_back(number_of(item));
    return out;
  }

  /// ('storage', storage type, key, location, element count[, view])
  void push_persistent(std::size_t id) {
    const Node& tuple = arena_[id];
    if (tuple.kind != Kind::kSequence || tuple.items.size() < 5 || text_of(tuple.items[0]) != "storage") {
      broken("an unknown persistent object");
    }
    const Node& type = arena_[tuple.items[1]];
    const auto dtype = type.kind == Kind::kGlobal ? storage_dtype(type.text) : std::nullopt;
    if (!dtype) broken("a storage of unknown type");
    if (tuple.items.size() > 5 && arena_[tuple.items[5]].kind != Kind::kNone) broken("a view of a storage");
    Node storage{.kind = Kind::kStorage,
                 .number = number_of(tuple.items[4]),
                 .text = text_of(tuple.items[2]),
                 .dtype = *dtype};
    push(std::move(storage));  // `tuple` and `type` are gone with it
  }

  void reduce(std::size_t callable, std::size_t arguments) {
    const std::string global = arena_[callable].kind == Kind::kGlobal ? arena_[callable].text : "";
    if (arena_[arguments].kind != Kind::kSequence) broken("a call without arguments");
    constexpr std::size_t kMostArguments = 16;  // of any call that is allowed
    if (arena_[arguments].items.size() > kMostArguments) broken("a call with too many arguments");
    const std::vector<std::size_t> args = arena_[arguments].items;
    if (global == "collections OrderedDict") {
      if (!args.empty()) broken("an ordered dictionary built from a list");
      push({.kind = Kind::kDict});
    } else if (global == "torch._utils _rebuild_tensor_v2") {
      if (args.size() < 4 || arena_[args[0]].kind != Kind::kStorage) broken("a tensor without storage");
      Node tensor{
          .kind = Kind::kTensor, .number = static_cast<std::int64_t>(args[0]), .offset = number_of(args[1])};
      tensor.shape = numbers_of(args[2]);
      tensor.stride = numbers_of(args[3]);
      if (tensor.shape.size() != tensor.stride.size()) broken("a tensor whose strides do not fit its shape");
      push(std::move(tensor));
    } else if (global == "torch._utils _rebuild_parameter") {
      if (args.empty() || arena_[args[0]].kind != Kind::kTensor) broken("a parameter without tensor");
      stack_.push_back(args[0]);
    } else {
      broken("a call of something that is no tensor");
    }
  }

  std::span<const std::byte> bytes_;
  std::string name_;
  std::size_t position_ = 0;
  std::vector<Node> arena_;
  std::vector<std::size_t> stack_;
  std::unordered_map<std::uint64_t, std::size_t> memo_;
};

using StorageLookup = std::function<Bytes(const Node& storage)>;

/// `budget`: bytes that this and the following tensors may take.
HostTensor materialise(const PickleMachine& machine, const Node& tensor, const std::string& key,
                       std::map<std::string, Bytes>& storages, const StorageLookup& lookup,
                       std::size_t& budget) {
  const Node& storage = machine.node(static_cast<std::size_t>(tensor.number));
  auto it = storages.find(storage.text);
  if (it == storages.end()) it = storages.emplace(storage.text, lookup(storage)).first;
  const Bytes& data = it->second;
  const std::size_t width = dtype_bytes(storage.dtype);
  const std::int64_t n = checked_numel(tensor.shape, key);
  const auto available = static_cast<std::int64_t>(data.size() / width);
  if (tensor.offset < 0 || tensor.offset > available || n > available) {
    machine.broken("tensor '" + key + "' reaches past its storage");
  }
  __int128 last = tensor.offset;
  for (std::size_t d = 0; d < tensor.shape.size(); ++d) {
    if (tensor.stride[d] < 0) machine.broken("tensor '" + key + "' has odd strides");
    last += static_cast<__int128>(tensor.shape[d] - 1) * tensor.stride[d];
  }
  if (n > 0 && last >= available) machine.broken("tensor '" + key + "' reaches past its storage");
  const std::size_t bytes = static_cast<std::size_t>(n) * width;
  if (bytes > budget) machine.broken("its tensors are many times as large as the file");
  budget -= bytes;
  HostTensor out{storage.dtype, tensor.shape, Bytes(bytes)};
  std::vector<std::int64_t> index(tensor.shape.size());
  for (std::int64_t i = 0; i < n; ++i) {
    std::int64_t from = tensor.offset;
    for (std::size_t d = 0; d < index.size(); ++d) from += index[d] * tensor.stride[d];
    std::memcpy(&out.data[static_cast<std::size_t>(i) * width], &data[static_cast<std::size_t>(from) * width],
                width);
    for (std::size_t d = index.size(); d-- > 0;) {
      if (++index[d] < tensor.shape[d]) break;
      index[d] = 0;
    }
  }
  return out;
}

TensorDict collect(const PickleMachine& machine, std::size_t root, std::size_t file_bytes,
                   const StorageLookup& lookup) {
  const Node* dict = &machine.node(root);
  if (dict->kind != Kind::kDict) machine.broken("its root is not a dictionary");
  for (std::size_t i = 0; i + 1 < dict->items.size(); i += 2) {
    const Node &key = machine.node(dict->items[i]), &value = machine.node(dict->items[i + 1]);
    if (key.kind == Kind::kText && (key.text == "state_dict" || key.text == "model") &&
        value.kind == Kind::kDict) {
      dict = &value;
      break;
    }
  }
  TensorDict out;
  std::map<std::string, Bytes> storages;
  std::size_t budget = kMaxExpansion * file_bytes;
  for (std::size_t i = 0; i + 1 < dict->items.size(); i += 2) {
    const Node &key = machine.node(dict->items[i]), &value = machine.node(dict->items[i + 1]);
    if (key.kind != Kind::kText || value.kind != Kind::kTensor) {
      machine.broken(fmt::format("entry '{}' is not a tensor", key.text));
    }
    if (out.count(key.text)) machine.broken(fmt::format("entry '{}' is there twice", key.text));
    out[key.text] = materialise(machine, value, key.text, storages, lookup, budget);
  }
  return out;
}

struct ZipCloser {
  void operator()(zip_t* z) const { zip_discard(z); }
};

TensorDict parse_zip(std::span<const std::byte> bytes, const std::string& name) {
  auto broken = [&](const std::string& why) {
    fail(ErrorCode::kBadInput, "{}: not a PyTorch checkpoint ({})", name, why);
  };
  zip_error_t error;
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (!source) broken("out of memory");
  const std::unique_ptr<zip_t, ZipCloser> archive(zip_open_from_source(source, ZIP_RDONLY, &error));
  if (!archive) {
    zip_source_free(source);
    broken("its zip directory is damaged");
  }
  std::size_t budget = bytes.size();  // plain entries that do not overlap fit
  auto read_entry = [&](const std::string& entry) {
    zip_stat_t stat;
    const zip_int64_t index = zip_name_locate(archive.get(), entry.c_str(), 0);
    if (index < 0 || zip_stat_index(archive.get(), static_cast<zip_uint64_t>(index), 0, &stat) != 0) {
      broken("entry " + entry + " is missing");
    }
    if (stat.comp_method != ZIP_CM_STORE || stat.size > bytes.size())
      broken("entry " + entry + " is compressed; torch stores plain entries");
    if (stat.size > budget) broken("its entries overlap");
    budget -= stat.size;
    Bytes content(stat.size);
    zip_file_t* file = zip_fopen_index(archive.get(), static_cast<zip_uint64_t>(index), 0);
    const zip_int64_t got = file ? zip_fread(file, content.data(), content.size()) : -1;
    if (file) zip_fclose(file);
    if (got != static_cast<zip_int64_t>(content.size())) broken("entry " + entry + " cannot be read");
    return content;
  };
  std::string prefix;
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive.get(), 0); ++i) {
    const char* entry = zip_get_name(archive.get(), static_cast<zip_uint64_t>(i), 0);
    const std::string text = entry ? entry : "";
    if (text.ends_with("/data.pkl")) prefix = text.substr(0, text.size() - 8);
  }
  if (prefix.empty()) broken("no data.pkl inside");
  const Bytes pickle = read_entry(prefix + "data.pkl");
  PickleMachine machine(pickle, name);
  const std::size_t root = machine.run();
  return collect(machine, root, bytes.size(),
                 [&](const Node& storage) { return read_entry(prefix + "data/" + storage.text); });
}

TensorDict parse_legacy(std::span<const std::byte> bytes, const std::string& name) {
  // torch's legacy layout: magic number, protocol version, system information, object, storage keys, then for
  // each key an 8-byte element count and the raw elements.
  PickleMachine machine(bytes, name);
  machine.run();
  if (machine.node(machine.run()).number != 1001) machine.broken("unknown legacy protocol");
  machine.run();
  const std::size_t root = machine.run();
  const Node keys = machine.node(machine.run());
  std::map<std::string, DType> types;
  for (std::size_t i = 0; i < machine.node_count(); ++i) {
    if (machine.node(i).kind == Kind::kStorage) types[machine.node(i).text] = machine.node(i).dtype;
  }
  std::map<std::string, Bytes> storages;
  for (const std::size_t item : keys.items) {
    const std::string& key = machine.node(item).text;
    std::uint64_t count = 0;
    std::memcpy(&count, machine.take(8).data(), 8);
    const auto type = types.find(key);
    if (type == types.end() || count > bytes.size()) machine.broken("a storage that no tensor uses");
    const auto data = machine.take(count * dtype_bytes(type->second));
    storages[key] = Bytes(data.begin(), data.end());
  }
  return collect(machine, root, bytes.size(), [&](const Node& storage) {
    const auto it = storages.find(storage.text);
    if (it == storages.end()) machine.broken("a storage is missing");
    return it->second;
  });
}

}  // namespace

TensorDict parse_torch_checkpoint(std::span<const std::byte> bytes, const std::string& name) {
  static constexpr unsigned char kZip[] = {'P', 'K', 3, 4};
  // Pickle of the magic number 0x1950a86a20f9469cfc6c: PROTO 2, LONG1 of 10 bytes.
  static constexpr unsigned char kLegacy[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20};
  if (bytes.size() >= sizeof(kZip) && std::memcmp(bytes.data(), kZip, sizeof(kZip)) == 0)
    return parse_zip(bytes, name);
  if (bytes.size() >= sizeof(kLegacy) && std::memcmp(bytes.data(), kLegacy, sizeof(kLegacy)) == 0) {
    return parse_legacy(bytes, name);
  }
  fail(ErrorCode::kBadInput,
       "{}: not a PyTorch checkpoint (neither zip nor legacy layout); give a .pth or .safetensors", name);
}

}  // namespace glint
