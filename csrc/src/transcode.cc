#include "bertfast/transcode.h"

#include <cstring>

namespace bertfast {
namespace {

inline __attribute__((always_inline)) std::uint8_t* write(CodePoint code_point,
                                                          std::uint8_t* out) {
  const auto tail = [code_point](int shift) {
    return static_cast<std::uint8_t>(0x80 | (code_point >> shift & 0x3F));
  };
  if (code_point < 0x80) {
    *out++ = static_cast<std::uint8_t>(code_point);
  } else if (code_point < 0x800) {
    *out++ = static_cast<std::uint8_t>(0xC0 | code_point >> 6);
    *out++ = tail(0);
  } else if (code_point < 0x10000) {
    *out++ = static_cast<std::uint8_t>(0xE0 | code_point >> 12);
    *out++ = tail(6);
    *out++ = tail(0);
  } else {
    *out++ = static_cast<std::uint8_t>(0xF0 | code_point >> 18);
    *out++ = tail(12);
    *out++ = tail(6);
    *out++ = tail(0);
  }
  return out;
}

std::uint8_t* write_run_mark(std::size_t length, std::uint8_t* out) {
  *out++ = ' ';
  *out++ = kRunMark;
  *out++ = static_cast<std::uint8_t>(0x80 | (length & 0x7F));
  *out++ = static_cast<std::uint8_t>(0x80 | length >> 7);
  *out++ = ' ';
  return out;
}

// Takes the words of one at [next, end) out and leaves their mark. The last unit that
// is none is where it stops.
template <class Unit>
const Unit* take_run(const Unit* next, const Unit* end, FoundWordsOfOne* found,
                     std::uint8_t** out) {
  const WordsOfOne& words = found->words;
  std::int32_t* begin = found->next;
  std::int32_t* at = begin;
  for (; next != end; ++next) {
    const std::int32_t id = words.id(*next);
    if (id == kNoId) break;
    *at++ = id;
  }
  found->next = at;
  *out = write_run_mark(static_cast<std::size_t>(at - begin), *out);
  return next;
}

// Sixteen units at a time while all are ASCII: the compiler makes vectors of both
// loops.
template <class Unit>
std::uint8_t* transcode_units(const Unit* next, std::size_t length,
                              FoundWordsOfOne* found, std::uint8_t* out) {
  constexpr std::size_t kBlock = 16;
  const Unit* end = next + length;
  while (next != end) {
    if (static_cast<std::size_t>(end - next) >= kBlock) {
      Unit all = 0;
      for (std::size_t i = 0; i < kBlock; ++i) all |= next[i];
      if (all < 0x80) {
        for (std::size_t i = 0; i < kBlock; ++i)
          out[i] = static_cast<std::uint8_t>(next[i]);
        next += kBlock;
        out += kBlock;
        continue;
      }
    }
    const std::size_t left = static_cast<std::size_t>(end - next);
    const Unit* block_end = next + (left < kBlock ? left : kBlock);
    while (next < block_end) {
      if (sizeof(Unit) > 1 && *next >= WordsOfOne::kFirst && found != nullptr &&
          found->words.id(*next) != kNoId) {
        next = take_run(next, end, found, &out);
        continue;
      }
      UnitReader<Unit> reader(next++, 1);
      CodePoint code_point;
      reader.next(&code_point);
      out = write(code_point, out);
    }
  }
  return out;
}

bool is_ascii_block(const std::uint8_t* data) {
  std::uint64_t words[2];
  std::memcpy(words, data, sizeof(words));
  return ((words[0] | words[1]) & 0x8080808080808080u) == 0;
}

// The same for UTF-8, in which `reader` has come to a word of one with this id.
void take_run(Utf8Reader* reader, std::int32_t id, FoundWordsOfOne* found,
              std::uint8_t** out) {
  std::int32_t* begin = found->next;
  std::int32_t* at = begin;
  do {
    *at++ = id;
    const Utf8Reader here = *reader;
    CodePoint code_point;
    id = reader->next(&code_point) ? found->words.id(code_point) : kNoId;
    if (id == kNoId) *reader = here;
  } while (id != kNoId);
  found->next = at;
  *out = write_run_mark(static_cast<std::size_t>(at - begin), *out);
}

// Whole blocks of ASCII are copied; of other blocks each character, if it is valid.
std::uint8_t* transcode_utf8(const std::uint8_t* next, std::size_t length,
                             FoundWordsOfOne* found, std::uint8_t* out) {
  constexpr std::ptrdiff_t kBlock = 16;
  const std::uint8_t* end = next + length;
  while (next != end) {
    if (end - next >= kBlock && is_ascii_block(next)) {
      std::memcpy(out, next, kBlock);
      next += kBlock;
      out += kBlock;
      continue;
    }
    const std::uint8_t* block_end = end - next > kBlock ? next + kBlock : end;
    Utf8Reader reader(next, static_cast<std::size_t>(end - next));
    CodePoint code_point;
    while (reader.position() < block_end && reader.next(&code_point)) {
      const std::int32_t id = found != nullptr ? found->words.id(code_point) : kNoId;
      if (id == kNoId) {
        out = write(code_point, out);
      } else {
        take_run(&reader, id, found, &out);
      }
    }
    next = reader.position();
  }
  return out;
}

}  // namespace

// The mark of a run of one, with its spaces, takes five bytes, of UTF-8 that had three.
std::size_t max_bytes_per_unit(TextKind kind) {
  switch (kind) {
    case TextKind::kAscii:
      return 1;
    case TextKind::kUtf8:
    case TextKind::kLatin1:
      return 2;
    case TextKind::kUcs2:
    case TextKind::kUcs4:
      return 5;
  }
  return 5;
}

std::uint8_t* transcode(const Text& text, FoundWordsOfOne* found, std::uint8_t* out) {
  if (text.length == 0) return out;  // its data may be null
  switch (text.kind) {
    case TextKind::kAscii:
      std::memcpy(out, text.data, text.length);
      return out + text.length;
    case TextKind::kLatin1:
      return transcode_units(static_cast<const std::uint8_t*>(text.data), text.length,
                             found, out);
    case TextKind::kUcs2:
      return transcode_units(static_cast<const std::uint16_t*>(text.data), text.length,
                             found, out);
    case TextKind::kUcs4:
      return transcode_units(static_cast<const std::uint32_t*>(text.data), text.length,
                             found, out);
    case TextKind::kUtf8:
      return transcode_utf8(static_cast<const std::uint8_t*>(text.data), text.length,
                            found, out);
  }
  return out;
}

}  // namespace bertfast
