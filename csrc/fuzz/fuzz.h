// What the fuzz targets share: a check that aborts, memory with canaries round it, and
// texts of every representation made from the fuzzer's bytes.
#ifndef BERTFAST_FUZZ_FUZZ_H_
#define BERTFAST_FUZZ_FUZZ_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bertfast/tokenizer.h"

// libFuzzer keeps the input of an execution that aborts.
#define REQUIRE(condition)                                                          \
  do {                                                                              \
    if (!(condition)) {                                                             \
      std::fprintf(stderr, "%s:%d: REQUIRE(%s)\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                 \
    }                                                                               \
  } while (false)

namespace bertfast_fuzz {

using bertfast::Text;
using bertfast::TextKind;

constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);

// Takes options off the front of an input; zeros when it is used up.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : next_(data), end_(data + size) {}

  std::uint8_t byte() { return next_ == end_ ? 0 : *next_++; }
  std::size_t below(std::size_t n) { return byte() % n; }
  bool empty() const { return next_ == end_; }

  // What is before the next `separator`, which is taken, too.
  std::string until(std::uint8_t separator) {
    std::string bytes;
    while (next_ != end_ && *next_ != separator) bytes += static_cast<char>(*next_++);
    if (next_ != end_) ++next_;
    return bytes;
  }

 private:
  const std::uint8_t* next_;
  const std::uint8_t* end_;
};

// An array of n elements between canaries, which are looked at when it goes. ASan sees
// what is touched far away; this sees the bytes next to it, written back or not.
template <class T>
class Guarded {
 public:
  Guarded(std::size_t n, T fill) : n_(n), memory_(new T[n + 2 * kCanaries]) {
    std::memset(static_cast<void*>(memory_.get()), kCanary, kEdgeBytes);
    std::fill_n(data(), n, fill);
    std::memset(static_cast<void*>(data() + n), kCanary, kEdgeBytes);
  }
  ~Guarded() {
    REQUIRE(std::memcmp(memory_.get(), edge(), kEdgeBytes) == 0);
    REQUIRE(std::memcmp(data() + n_, edge(), kEdgeBytes) == 0);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  T* data() { return memory_.get() + kCanaries; }
  T& operator[](std::size_t i) { return data()[i]; }
  std::size_t size() const { return n_; }

 private:
  static constexpr std::size_t kCanaries = 16;
  static constexpr std::size_t kEdgeBytes = kCanaries * sizeof(T);
  static constexpr std::uint8_t kCanary = 0xA5;

  static const std::uint8_t* edge() {
    static const std::vector<std::uint8_t> bytes(kEdgeBytes, kCanary);
    return bytes.data();
  }

  std::size_t n_;
  std::unique_ptr<T[]> memory_;
};

// A text in memory of exactly its size, so that ASan sees any reading beyond it.
class OwnedText {
 public:
  // `form` says how `bytes` become units: as they are, or decoded from UTF-8 first.
  OwnedText(const std::string& bytes, std::size_t form) {
    switch (form % kForms) {
      case 0: {
        std::string ascii = bytes;
        for (char& byte : ascii) byte = static_cast<char>(byte & 0x7F);
        own(ascii.data(), ascii.size(), TextKind::kAscii);
        break;
      }
      case 1:
        own(bytes.data(), bytes.size(), TextKind::kLatin1);
        break;
      case 2: {
        std::vector<std::uint16_t> units(bytes.size() / 2);
        if (!units.empty()) std::memcpy(units.data(), bytes.data(), units.size() * 2);
        own(units.data(), units.size(), TextKind::kUcs2);
        break;
      }
      case 3:
        own_decoded<std::uint16_t>(bytes, TextKind::kUcs2);
        break;
      case 4:
        own_decoded<std::uint32_t>(bytes, TextKind::kUcs4);
        break;
      default:
        own(bytes.data(), bytes.size(), TextKind::kUtf8);
    }
  }

  static constexpr std::size_t kForms = 6;
  Text view() const { return {memory_.get(), length_, kind_}; }

 private:
  template <class Unit>
  void own_decoded(const std::string& bytes, TextKind kind) {
    bertfast::Utf8Reader reader(bytes.data(), bytes.size());
    std::vector<Unit> units;
    bertfast::CodePoint code_point;
    while (reader.next(&code_point)) units.push_back(static_cast<Unit>(code_point));
    own(units.data(), units.size(), kind);
  }

  template <class Unit>
  void own(const Unit* units, std::size_t length, TextKind kind) {
    length_ = length;
    kind_ = kind;
    memory_.reset(new std::uint8_t[length * sizeof(Unit)]);
    if (length > 0) std::memcpy(memory_.get(), units, length * sizeof(Unit));
  }

  std::unique_ptr<std::uint8_t[]> memory_;
  std::size_t length_ = 0;
  TextKind kind_ = TextKind::kAscii;
};

inline Text utf8(const std::string& bytes) {
  return {bytes.data(), bytes.size(), TextKind::kUtf8};
}

// A vocabulary that takes every way through the core: words of one, continuations,
// characters that decompose, marks that are kept, both small sigmas.
inline const std::vector<std::string>& tokens() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> list = {"[UNK]", "[MASK]",    "abc",    "ab",
                                     "##ab",  "##cd",      "the",    "de",
                                     "##e",   "##bcdefgh", "##ghijk"};
    const char* const characters[] = {
        "a",          "c",          "d",          "e",         ".",      "'",
        "#",          "!",          "[",          "]",         "=",      "\u00e9",
        "\u00df",     "\u03c3",     "\u03c2",     "\u03b1",    "\u4e00", "\u5927",
        "\u3042",     "\uff1a",     "\u3002",     "\u1112",    "\u1161", "\u11ab",
        "\uac00",     "\ufb01",     "i",          "\u0307",    "\u0338", "\u302e",
        "\U0001f600", "\U0001d165", "\U0001d16d", "\U00020000"};
    for (const char* character : characters) {
      list.push_back(character);
      list.push_back(std::string("##") + character);
    }
    return list;
  }();
  return all;
}

// One tokenizer for each combination of the three rules, with and without a special
// token. They are kept from one execution to the next and so is their cache.
inline const bertfast::Tokenizer& shared_tokenizer(std::size_t number) {
  static std::unique_ptr<bertfast::Tokenizer> made[16];
  auto& tokenizer = made[number % 16];
  if (tokenizer == nullptr) {
    std::vector<bertfast::VocabEntry> vocab;
    for (const std::string& token : tokens())
      vocab.push_back({utf8(token), static_cast<std::int32_t>(vocab.size())});
    const bertfast::TextRules rules{(number & 1) != 0, (number & 2) != 0,
                                    (number & 4) != 0};
    std::vector<bertfast::VocabEntry> special;
    if ((number & 8) != 0) special.push_back(vocab[1]);
    tokenizer = std::make_unique<bertfast::Tokenizer>(vocab, 0, rules, special);
  }
  return *tokenizer;
}

}  // namespace bertfast_fuzz

#endif  // BERTFAST_FUZZ_FUZZ_H_
