#include "bertfast/batch_encoder.h"

#include <algorithm>
#include <cstring>

#include "bertfast/text_encoder.h"
#include "bertfast/transcode.h"

namespace bertfast {
namespace {

// A row that ends after `limit` ids is read in slices of about as many bytes as they
// take.
constexpr std::size_t kBytesPerId = 8;
constexpr std::size_t kMinSliceBytes = 64;

std::size_t slice_bytes(std::size_t limit) {
  if (limit >= kWindowBytes / kBytesPerId) return kWindowBytes;
  return std::min(kWindowBytes, limit * kBytesPerId + kMinSliceBytes);
}

static_assert(kWindowBytes <= kMaxRun, "a run of words of one fits its mark");

// No chunk has this key: code points are at most U+10FFFF, so no UTF-8 has such bytes.
constexpr std::uint64_t kNoBytes = ~std::uint64_t{0};

// The slot of a bucket that holds `key`, null if none does or its ids are in the ring.
inline const ChunkCache::ShortSlot* find_near(const ChunkCache::ShortSlot* slot,
                                              const ShortKey& key) {
  if (__builtin_expect(!(slot->key == key), 0)) {
    ++slot;
    if (!(slot->key == key)) return nullptr;
  }
  return slot->value.is_far() ? nullptr : slot;
}

template <class Unit>
std::size_t cut_units(const void* data, std::size_t length, const WordsOfOne& words) {
  const auto* units = static_cast<const Unit*>(data);
  while (length > 0 && !is_ascii_space(units[length - 1]) &&
         words.id(units[length - 1]) == kNoId) {
    --length;
  }
  return length;
}

// Wherever a character of three bytes stands whole in a text, even an invalid one, it
// is read as such.
std::size_t cut_utf8(const void* data, std::size_t length, const WordsOfOne& words) {
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  for (; length > 0; --length) {
    if (is_ascii_space(bytes[length - 1])) break;
    if (length < 3 || bytes[length - 3] < 0xE0) continue;
    Utf8Reader reader(bytes + length - 3, 3);
    CodePoint code_point;
    if (reader.next(&code_point) && reader.position() == bytes + length &&
        words.id(code_point) != kNoId) {
      break;
    }
  }
  return length;
}

// The length of `text` up to and with the last character that parts what is before it
// from what is behind: ASCII whitespace or a word of one. 0 if it has none.
std::size_t cut(const Text& text, const WordsOfOne& words) {
  if (text.kind == TextKind::kUtf8) return cut_utf8(text.data, text.length, words);
  if (text.unit_bytes() == 2) {
    return cut_units<std::uint16_t>(text.data, text.length, words);
  }
  if (text.unit_bytes() == 4) {
    return cut_units<std::uint32_t>(text.data, text.length, words);
  }
  return cut_units<std::uint8_t>(text.data, text.length, words);
}

// Bytes of transcoded text that are not the first of a character.
std::size_t count_continuations(const std::uint8_t* bytes, std::size_t length) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < length; ++i) count += (bytes[i] & 0xC0) == 0x80;
  return count;
}

}  // namespace

BatchEncoder::BatchEncoder(const Tokenizer& tokenizer, std::size_t limit,
                           Workspace* workspace, IdBuffer* out)
    : tokenizer_(tokenizer),
      limit_(limit),
      slice_bytes_(slice_bytes(limit)),
      workspace_(workspace),
      cache_(*workspace->cache),
      out_(out),
      found_{tokenizer.words_of_one(), workspace->words_of_one.data()},
      row_start_(out->size()) {}

void BatchEncoder::encode(const Text* texts, std::size_t begin, std::size_t end,
                          std::int64_t* row_ends) {
  for (std::size_t row = begin; row < end; ++row) {
    const std::size_t most = texts[row].length * max_bytes_per_unit(texts[row].kind);
    if (most <= slice_bytes_ / 2) {
      append(texts[row], row_ends + row);
    } else {
      encode_long(texts[row], row_ends + row);
    }
  }
  flush();
}

// Where words of one go: nowhere if their spans are wanted, too.
FoundWordsOfOne* BatchEncoder::found() {
  return out_->with_spans() ? nullptr : &found_;
}

// How many words of one more there is room for. In the window a run of them takes less
// than its text.
std::size_t BatchEncoder::room_for_found() const {
  const auto& words = workspace_->words_of_one;
  return words.size() - static_cast<std::size_t>(found_.next - words.data());
}

// Puts a text into the window, which is emptied first if it has no room.
void BatchEncoder::append(const Text& text, std::int64_t* row_end) {
  const std::size_t most = text.length * max_bytes_per_unit(text.kind) + 1;
  if (used_ + most > kWindowBytes || n_rows_ == kMaxRows ||
      text.length > room_for_found()) {
    flush();
  }
  std::uint8_t* at = workspace_->window.data() + used_;
  std::uint8_t* end = transcode(text, found(), at);
  *end = ' ';
  used_ += static_cast<std::size_t>(end - at) + 1;
  rows_[n_rows_++] = {static_cast<std::uint32_t>(used_), row_end};
}

// Encodes a text window by window until it ends or has given `limit` ids.
void BatchEncoder::encode_long(const Text& text, std::int64_t* row_end) {
  flush();
  std::size_t begin = 0;
  while (begin < text.length && out_->size() - row_start_ < limit_) {
    begin += encode_slice(text, begin);
  }
  rows_[n_rows_++] = {0, row_end};
  finish_row();
  n_rows_ = next_row_ = 0;
}

// Encodes a window of `text` from unit `begin` on and returns its length in units.
// Where there is no place to cut at, that is all of the rest.
std::size_t BatchEncoder::encode_slice(const Text& text, std::size_t begin) {
  const WordsOfOne& words_of_one = tokenizer_.words_of_one();
  Text part = slice(text, begin, slice_bytes_ / max_bytes_per_unit(text.kind));
  if (begin + part.length < text.length) part.length = cut(part, words_of_one);
  if (part.length == 0) {
    const Text rest = slice(text, begin, text.length);
    const std::size_t size = out_->size();
    tokenizer_.encode_plainly(rest, limit_ - (size - row_start_), out_);
    shift_spans(size, row_code_points_);
    return rest.length;
  }
  std::uint8_t* window = workspace_->window.data();
  const std::size_t used =
      static_cast<std::size_t>(transcode(part, found(), window) - window);
  used_ = used;
  flush();
  row_code_points_ = code_point_index(used);
  row_continuations_ = 0;
  return part.length;
}

// Encodes what is in the window. Rows that end in it are finished.
void BatchEncoder::flush() {
  std::uint8_t* window = workspace_->window.data();
  std::uint16_t* edges = workspace_->edges.data();
  std::memset(window + used_, ' ', kScanBlock);
  const std::size_t n_chunks = scanner_kernel().find_edges(window, used_, edges) / 2;
  n_found_ = static_cast<std::size_t>(found_.next - workspace_->words_of_one.data());
  next_found_ = workspace_->words_of_one.data();
  Pending pending[kGroup];
  for (std::size_t first = 0; first < n_chunks; first += kGroup) {
    const std::size_t n = std::min(kGroup, n_chunks - first);
    fetch(edges + 2 * first, n, pending);
    if (out_->with_spans()) {
      look_up_with_spans(edges + 2 * first, n, pending);
    } else {
      look_up(edges + 2 * first, n, pending);
    }
  }
  while (next_row_ < n_rows_) finish_row();
  n_rows_ = next_row_ = used_ = 0;
  found_.next = workspace_->words_of_one.data();
  row_window_begin_ = 0;
}

// Starts fetching the slots of `n` chunks.
void BatchEncoder::fetch(const std::uint16_t* edges, std::size_t n, Pending* pending) {
  ChunkCache& cache = cache_;
  const std::uint8_t* window = workspace_->window.data();
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t begin = edges[2 * i];
    const std::uint32_t length = edges[2 * i + 1] - begin;
    const std::uint8_t* chunk = window + begin;
    if (__builtin_expect(length <= kShortKeyBytes, 1)) {
      const ShortKey key = load_short_key(chunk, length);
      ChunkCache::ShortSlot* bucket = cache.short_bucket(hash(key));
      pending[i] = {key, bucket};
      __builtin_prefetch(bucket);
    } else {
      pending[i] = {{kNoBytes, kNoBytes}, cache_.short_bucket(0)};
      if (length <= kLongKeyBytes) {
        __builtin_prefetch(cache_.long_slot(hash(load_long_key(chunk, length))));
      }
    }
  }
}

// Writes the ids of a run of words of one; returns their end.
std::int32_t* BatchEncoder::copy_run(std::size_t length, std::int32_t* out) {
  std::memcpy(out, next_found_, length * sizeof(*out));
  next_found_ += length;
  return out + length;
}

// Writes the ids of `n` chunks, at most kGroup.
void BatchEncoder::look_up(const std::uint16_t* edges, std::size_t n,
                           const Pending* pending) {
  const std::uint8_t* window = workspace_->window.data();
  out_->reserve_more(kRoom + n_found_);
  std::int32_t* next = out_->end();
  std::uint32_t row_end = next_row_end();
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t begin = edges[2 * i];
    while (__builtin_expect(begin >= row_end, 0)) {
      out_->set_end(next);
      row_end = finish_row();
      next = out_->end();
    }
    const auto* slot = find_near(pending[i].bucket, pending[i].key);
    if (__builtin_expect(slot != nullptr, 1)) {
      next += slot->value.copy_to(next);
    } else if (window[begin] == kRunMark) {
      next = copy_run(run_length(window + begin), next);
    } else {
      out_->set_end(next);
      write_missed(window + begin, edges[2 * i + 1] - begin, pending[i]);
      next = out_->end();
    }
  }
  out_->set_end(next);
}

// The same with spans, which follow from the ids and what is known of their tokens.
void BatchEncoder::look_up_with_spans(const std::uint16_t* edges, std::size_t n,
                                      const Pending* pending) {
  const std::uint8_t* window = workspace_->window.data();
  out_->reserve_more(kRoom);
  std::uint32_t row_end = next_row_end();
  for (std::size_t i = 0; i < n; ++i) {
    while (edges[2 * i] >= row_end) row_end = finish_row();
    const std::uint8_t* chunk = window + edges[2 * i];
    const std::size_t length =
        static_cast<std::size_t>(edges[2 * i + 1] - edges[2 * i]);
    const std::size_t size = out_->size();
    const auto* slot = find_near(pending[i].bucket, pending[i].key);
    if (slot != nullptr) {
      out_->set_end(out_->end() + slot->value.copy_to(out_->end()));
    } else {
      write_missed(chunk, length, pending[i]);
    }
    write_spans(chunk, length, size);
  }
}

// Writes the spans of the ids that a chunk has added from `size` on. In a chunk of
// ASCII whose tokens are together as long as it is, nothing was dropped, expanded or
// unknown, and they stand one behind the other; any other chunk is encoded again, with
// spans.
void BatchEncoder::write_spans(const std::uint8_t* chunk, std::size_t length,
                               std::size_t size) {
  const std::int32_t begin =
      code_point_index(static_cast<std::size_t>(chunk - workspace_->window.data()));
  const std::size_t continuations = count_continuations(chunk, length);
  std::size_t covered = 0;
  if (continuations == 0) {
    const std::int32_t* ids = out_->ids().data();
    Span* spans = out_->spans().data();
    for (std::size_t i = size; i < out_->size(); ++i) {
      const std::size_t end = covered + tokenizer_.token_length(ids[i]);
      spans[i] = {begin + static_cast<std::int32_t>(covered),
                  begin + static_cast<std::int32_t>(end)};
      covered = end;
    }
  }
  if (continuations > 0 || covered != length) {
    out_->truncate(size);
    encode_chunk<true>(chunk, length);
    out_->reserve_more(kRoom);
    shift_spans(size, begin);
  }
  row_continuations_ += continuations;
}

// Where a byte of the window stands in the current row, in code points.
std::int32_t BatchEncoder::code_point_index(std::size_t window_index) const {
  return row_code_points_ + static_cast<std::int32_t>(window_index - row_window_begin_ -
                                                      row_continuations_);
}

void BatchEncoder::shift_spans(std::size_t size, std::int32_t by) {
  if (!out_->with_spans()) return;
  for (std::size_t i = size; i < out_->size(); ++i) {
    out_->spans().data()[i].begin += by;
    out_->spans().data()[i].end += by;
  }
}

// Where the current row ends in the window; beyond it if it goes on.
std::uint32_t BatchEncoder::next_row_end() const {
  return next_row_ < n_rows_ ? rows_[next_row_].window_end : kWindowBytes + 1;
}

// Says where the current row ends and cuts it to the limit; returns where the next one
// ends.
std::uint32_t BatchEncoder::finish_row() {
  if (out_->size() - row_start_ > limit_) out_->truncate(row_start_ + limit_);
  row_start_ = out_->size();
  row_window_begin_ = rows_[next_row_].window_end;
  row_continuations_ = 0;
  row_code_points_ = 0;
  *rows_[next_row_++].row_end = static_cast<std::int64_t>(row_start_);
  return next_row_end();
}

__attribute__((noinline)) void BatchEncoder::write_missed(const std::uint8_t* chunk,
                                                          std::size_t length,
                                                          const Pending& pending) {
  if (length <= kShortKeyBytes) {
    write_missed_short(chunk, length, pending);
  } else if (length <= kLongKeyBytes) {
    write_missed_long(chunk, length);
  } else {
    encode_chunk<false>(chunk, length);
  }
  out_->reserve_more(kRoom + n_found_);
}

// A short chunk whose ids are in the ring, or that its bucket does not hold.
void BatchEncoder::write_missed_short(const std::uint8_t* chunk, std::size_t length,
                                      const Pending& pending) {
  for (const ChunkCache::ShortSlot* slot : {pending.bucket, pending.bucket + 1}) {
    if (slot->key == pending.key && write_cached(slot->value)) return;
  }
  const std::size_t size = out_->size();
  encode_chunk<false>(chunk, length);
  cache_.insert(pending.bucket, pending.key, out_->ids().data() + size,
                out_->size() - size);
}

void BatchEncoder::write_missed_long(const std::uint8_t* chunk, std::size_t length) {
  const LongKey key = load_long_key(chunk, length);
  ChunkCache::LongSlot* slot = cache_.long_slot(hash(key));
  if (slot->key == key && write_cached(slot->value)) return;
  const std::size_t size = out_->size();
  encode_chunk<false>(chunk, length);
  cache_.insert(slot, key, out_->ids().data() + size, out_->size() - size);
}

template <class Cached>
bool BatchEncoder::write_cached(const Cached& cached) {
  if (!cached.copy_to(out_->end(), cache_.ring())) return false;
  out_->set_end(out_->end() + cached.count());
  return true;
}

template <bool kSpans>
void BatchEncoder::encode_chunk(const std::uint8_t* chunk, std::size_t length) {
  TextEncoder<TranscodedReader, kSpans>(tokenizer_,
                                        TranscodedReader(chunk, chunk + length),
                                        static_cast<std::size_t>(-1), out_)
      .encode();
}

}  // namespace bertfast
