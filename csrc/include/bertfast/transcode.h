// Any text as UTF-8, which is what the chunk cache and the scanner read.
//
// Code points of a str may be lone surrogates; these are written as three bytes as if
// they were characters ("WTF-8"). Invalid bytes of a UTF-8 text are left out, so that
// what is written can be read back without checks. Words of one character can be taken
// out on the way, their ids at once; a run of them leaves a mark that no UTF-8 has:
//
//   "AB中文C"  ->  "AB <mark of 2> C"
#ifndef BERTFAST_TRANSCODE_H_
#define BERTFAST_TRANSCODE_H_

#include <cstddef>
#include <cstdint>

#include "bertfast/text.h"
#include "bertfast/words_of_one.h"

namespace bertfast {

// Bytes that one unit of a text can become.
std::size_t max_bytes_per_unit(TextKind kind);

// Writes `text` to `out`, which has room for max_bytes_per_unit() bytes a unit and 32
// more; returns the end of what was written. Unless `found` is null, the ids of words
// of one go there, at most one a unit; the text has at most kMaxRun units then.
std::uint8_t* transcode(const Text& text, FoundWordsOfOne* found, std::uint8_t* out);

// The mark of a run of words of one: a byte that no UTF-8 has, and how many they are.
// No byte of it is whitespace.
constexpr std::uint8_t kRunMark = 0xFF;
constexpr std::size_t kMaxRun = (1 << 14) - 1;

inline std::size_t run_length(const std::uint8_t* mark) {
  return static_cast<std::size_t>((mark[1] & 0x7F) | (mark[2] & 0x7F) << 7);
}

// Reads what transcode() wrote.
class TranscodedReader {
 public:
  TranscodedReader(const std::uint8_t* begin, const std::uint8_t* end)
      : next_(begin), end_(end) {}

  bool next(CodePoint* code_point) {
    if (next_ == end_) return false;
    ++index_;
    const CodePoint lead = *next_;
    if (lead < 0x80) {
      *code_point = lead;
      next_ += 1;
    } else if (lead < 0xE0) {
      *code_point = (lead & 0x1F) << 6 | tail(1);
      next_ += 2;
    } else if (lead < 0xF0) {
      *code_point = (lead & 0x0F) << 12 | tail(1) << 6 | tail(2);
      next_ += 3;
    } else {
      *code_point = (lead & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3);
      next_ += 4;
    }
    return true;
  }
  std::int64_t index() const { return index_; }

 private:
  CodePoint tail(int i) const { return next_[i] & 0x3Fu; }

  const std::uint8_t* next_;
  const std::uint8_t* end_;
  std::int64_t index_ = 0;
};

}  // namespace bertfast

#endif  // BERTFAST_TRANSCODE_H_
