// Texts as callers hold them, and readers that give their code points one by one.
#ifndef BERTFAST_TEXT_H_
#define BERTFAST_TEXT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "bertfast/unicode.h"

namespace bertfast {

// The representation of a text. The first four are CPython's own (PEP 393): one unit a
// code point, lone surrogates included. kUtf8 is any bytes; invalid ones are ignored.
enum class TextKind : std::uint8_t {
  kAscii = 0,
  kLatin1 = 1,
  kUcs2 = 2,
  kUcs4 = 4,
  kUtf8 = 8
};

// A text in memory that somebody else owns.
struct Text {
  const void* data;
  std::size_t length;  // in units
  TextKind kind;

  std::size_t unit_bytes() const {
    if (kind == TextKind::kUcs2) return 2;
    return kind == TextKind::kUcs4 ? 4 : 1;
  }
  std::size_t n_bytes() const { return length * unit_bytes(); }
};

// The part of `text` from unit `begin` on, of at most `length` units.
inline Text slice(const Text& text, std::size_t begin, std::size_t length) {
  const auto* data =
      static_cast<const std::uint8_t*>(text.data) + begin * text.unit_bytes();
  return {data, std::min(length, text.length - begin), text.kind};
}

// The class of ASCII whitespace: other controls are dropped, not split at.
constexpr bool is_ascii_space(CodePoint c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// The length of `text` up to and with its last ASCII whitespace; 0 if it has none.
std::size_t cut_at_space(const Text& text);

// Reads one unit a code point. Copyable: a copy is a bookmark.
template <class Unit>
class UnitReader {
 public:
  UnitReader(const void* data, std::size_t length)
      : begin_(static_cast<const Unit*>(data)), next_(begin_), end_(begin_ + length) {}

  // Stores the next code point; false at the end. Units above U+10FFFF read as U+FFFD.
  bool next(CodePoint* code_point) {
    if (next_ == end_) return false;
    const CodePoint unit = *next_++;
    *code_point = sizeof(Unit) == 4 && unit >= kCodePointCount ? 0xFFFD : unit;
    return true;
  }
  // Code points read so far.
  std::int64_t index() const { return next_ - begin_; }
  // The first unit not read.
  const Unit* position() const { return next_; }

 private:
  const Unit* begin_;
  const Unit* next_;
  const Unit* end_;
};

// Reads UTF-8 as Python's bytes.decode("utf-8", "ignore") does: of an invalid sequence
// the longest part that could have begun a valid one is skipped (Unicode 15, table
// 3-7).
class Utf8Reader {
 public:
  Utf8Reader(const void* data, std::size_t length)
      : next_(static_cast<const std::uint8_t*>(data)), end_(next_ + length) {}

  bool next(CodePoint* code_point);
  std::int64_t index() const { return index_; }
  // The first byte not read.
  const std::uint8_t* position() const { return next_; }

 private:
  // Reads the sequence after `lead`; false, with the invalid part skipped, if it is
  // none.
  bool next_multibyte(std::uint8_t lead, CodePoint* code_point);

  const std::uint8_t* next_;
  const std::uint8_t* end_;
  std::int64_t index_ = 0;
};

inline bool Utf8Reader::next(CodePoint* code_point) {
  while (next_ != end_) {
    const std::uint8_t lead = *next_++;
    if (lead < 0x80) {
      *code_point = lead;
      ++index_;
      return true;
    }
    if (next_multibyte(lead, code_point)) {
      ++index_;
      return true;
    }
  }
  return false;
}

inline bool Utf8Reader::next_multibyte(std::uint8_t lead, CodePoint* code_point) {
  int continuations;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xBF;  // what the first continuation byte may be
  if (lead >= 0xC2 && lead <= 0xDF) {
    continuations = 1;
  } else if ((lead & 0xF0) == 0xE0) {
    continuations = 2;
    if (lead == 0xE0) low = 0xA0;   // no overlong forms
    if (lead == 0xED) high = 0x9F;  // no surrogates
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    continuations = 3;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;  // nothing above U+10FFFF
  } else {
    return false;
  }
  CodePoint value = lead & (0x3F >> continuations);
  for (int i = 0; i < continuations; ++i) {
    if (next_ == end_ || *next_ < low || *next_ > high) return false;
    value = value << 6 | (*next_++ & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  *code_point = value;
  return true;
}

// Calls `function` with a reader of the text's representation.
template <class Function>
void read_text(const Text& text, Function function) {
  switch (text.kind) {
    case TextKind::kAscii:
    case TextKind::kLatin1:
      return function(UnitReader<std::uint8_t>(text.data, text.length));
    case TextKind::kUcs2:
      return function(UnitReader<std::uint16_t>(text.data, text.length));
    case TextKind::kUcs4:
      return function(UnitReader<std::uint32_t>(text.data, text.length));
    case TextKind::kUtf8:
      return function(Utf8Reader(text.data, text.length));
  }
}

}  // namespace bertfast

#endif  // BERTFAST_TEXT_H_
