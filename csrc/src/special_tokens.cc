#include "bertfast/special_tokens.h"

#include <algorithm>
#include <cstring>

#include "bertfast/batch_encoder.h"
#include "bertfast/tokenizer.h"

namespace bertfast {
namespace {

// Special tokens are looked for so far ahead of what is encoded.
constexpr std::size_t kSliceUnits = 1 << 16;

const std::uint8_t* next_bracket(const std::uint8_t* begin, const std::uint8_t* end) {
  const auto length = static_cast<std::size_t>(end - begin);
  const void* found = length == 0 ? nullptr : std::memchr(begin, '[', length);
  return found == nullptr ? end : static_cast<const std::uint8_t*>(found);
}

template <class Unit>
const Unit* next_bracket(const Unit* begin, const Unit* end) {
  return std::find(begin, end, static_cast<Unit>('['));
}

// Whether what `reader` gives begins with `token`, and moves behind that.
template <class Reader>
bool read_token(const SpecialToken& token, Reader* reader) {
  for (const CodePoint wanted : token.code_points) {
    CodePoint code_point;
    if (!reader->next(&code_point) || code_point != wanted) return false;
  }
  return true;
}

template <class Reader, class Unit>
bool find_in(const std::vector<SpecialToken>& tokens, const Unit* begin,
             const Unit* end, SpecialTokenFinder::Match* match) {
  for (const Unit* at = next_bracket(begin, end); at != end;
       at = next_bracket(at + 1, end)) {
    for (const SpecialToken& token : tokens) {
      Reader reader(at, static_cast<std::size_t>(end - at));
      if (!read_token(token, &reader)) continue;
      *match = {static_cast<std::size_t>(at - begin),
                static_cast<std::size_t>(reader.position() - begin), &token};
      return true;
    }
  }
  return false;
}

std::size_t count_code_points(const Text& text) {
  if (text.kind != TextKind::kUtf8) return text.length;
  Utf8Reader reader(text.data, text.length);
  CodePoint code_point;
  while (reader.next(&code_point)) {
  }
  return static_cast<std::size_t>(reader.index());
}

}  // namespace

bool SpecialTokenFinder::find(const Text& text, Match* match) const {
  const auto* bytes = static_cast<const std::uint8_t*>(text.data);
  const auto* ucs2 = static_cast<const std::uint16_t*>(text.data);
  const auto* ucs4 = static_cast<const std::uint32_t*>(text.data);
  const std::size_t n = text.length;
  switch (text.kind) {
    case TextKind::kAscii:
    case TextKind::kLatin1:
      return find_in<UnitReader<std::uint8_t>>(tokens_, bytes, bytes + n, match);
    case TextKind::kUcs2:
      return find_in<UnitReader<std::uint16_t>>(tokens_, ucs2, ucs2 + n, match);
    case TextKind::kUcs4:
      return find_in<UnitReader<std::uint32_t>>(tokens_, ucs4, ucs4 + n, match);
    case TextKind::kUtf8:
      return find_in<Utf8Reader>(tokens_, bytes, bytes + n, match);
  }
  return false;
}

SpecialTextEncoder::SpecialTextEncoder(const Tokenizer& tokenizer, std::size_t limit,
                                       Workspace* workspace, IdBuffer* out)
    : tokenizer_(tokenizer),
      finder_(tokenizer.special_tokens()),
      limit_(limit),
      workspace_(workspace),
      out_(out) {}

// Texts without a special token are handed on together, as many as there are in a row.
void SpecialTextEncoder::encode(const Text* texts, std::size_t begin, std::size_t end,
                                std::int64_t* row_ends) {
  std::size_t plain_begin = begin;
  for (std::size_t row = begin; row < end; ++row) {
    if (is_plain(texts[row])) continue;
    encode_plain_rows(texts, plain_begin, row, row_ends);
    encode_row(texts[row]);
    row_ends[row] = static_cast<std::int64_t>(out_->size());
    plain_begin = row + 1;
  }
  encode_plain_rows(texts, plain_begin, end, row_ends);
}

bool SpecialTextEncoder::is_plain(const Text& text) const {
  SpecialTokenFinder::Match match;
  return text.length <= kSliceUnits && !finder_.find(text, &match);
}

void SpecialTextEncoder::encode_plain_rows(const Text* texts, std::size_t begin,
                                           std::size_t end, std::int64_t* row_ends) {
  BatchEncoder(tokenizer_, limit_, workspace_, out_)
      .encode(texts, begin, end, row_ends);
}

// Cuts the text at whitespace, which neither a special token nor a chunk holds.
void SpecialTextEncoder::encode_row(const Text& text) {
  row_start_ = out_->size();
  row_code_points_ = 0;
  std::size_t begin = 0;
  while (begin < text.length && room() > 0) {
    Text part = slice(text, begin, kSliceUnits);
    if (begin + part.length < text.length) part.length = cut_at_space(part);
    if (part.length == 0) part = slice(text, begin, text.length);
    encode_part(part);
    begin += part.length;
  }
}

void SpecialTextEncoder::encode_part(Text part) {
  SpecialTokenFinder::Match match;
  while (room() > 0 && finder_.find(part, &match)) {
    encode_between(slice(part, 0, match.begin));
    push(*match.token);
    part = slice(part, match.end, part.length);
  }
  encode_between(part);
}

void SpecialTextEncoder::encode_between(const Text& text) {
  if (text.length == 0 || room() == 0) return;
  const std::size_t size = out_->size();
  std::int64_t row_end;
  BatchEncoder(tokenizer_, room(), workspace_, out_).encode(&text, 0, 1, &row_end);
  if (!out_->with_spans()) return;
  for (std::size_t i = size; i < out_->size(); ++i) {
    out_->spans().data()[i].begin += row_code_points_;
    out_->spans().data()[i].end += row_code_points_;
  }
  row_code_points_ += static_cast<std::int32_t>(count_code_points(text));
}

void SpecialTextEncoder::push(const SpecialToken& token) {
  if (room() == 0) return;
  const auto end =
      row_code_points_ + static_cast<std::int32_t>(token.code_points.size());
  out_->reserve_more(1);
  if (out_->with_spans()) {
    out_->push(token.id, {row_code_points_, end});
  } else {
    out_->push(token.id);
  }
  row_code_points_ = end;
}

}  // namespace bertfast
