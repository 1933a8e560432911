#include "bertfast/batch_encoder.h"

#include <algorithm>
#include <cstring>

#include "bertfast/text_encoder.h"
#include "bertfast/transcode.h"

namespace bertfast {
namespace {

// A row that ends after `limit` ids is read in slices of about as many bytes as they take.
constexpr std::size_t kBytesPerId = 8;
constexpr std::size_t kMinSliceBytes = 64;

std::size_t slice_bytes(std::size_t limit) {
  if (limit >= kWindowBytes / kBytesPerId) return kWindowBytes;
  return std::min(kWindowBytes, limit * kBytesPerId + kMinSliceBytes);
}

// The part of `text` from unit `begin` on, of at most `length` units.
Text slice(const Text& text, std::size_t begin, std::size_t length) {
  const std::size_t unit_bytes = text.unit_bytes();
  const auto* data = static_cast<const std::uint8_t*>(text.data) + begin * unit_bytes;
  return {data, std::min(length, text.length - begin), text.kind};
}

template <class Unit>
std::size_t cut_units(const void* data, std::size_t length) {
  const auto* units = static_cast<const Unit*>(data);
  while (length > 0) {
    const Unit unit = units[length - 1];
    if (unit == ' ' || unit == '\t' || unit == '\n' || unit == '\r') break;
    --length;
  }
  return length;
}

// The length of `text` up to and with its last ASCII whitespace; 0 if it has none.
std::size_t cut_at_space(const Text& text) {
  if (text.unit_bytes() == 2) return cut_units<std::uint16_t>(text.data, text.length);
  if (text.unit_bytes() == 4) return cut_units<std::uint32_t>(text.data, text.length);
  return cut_units<std::uint8_t>(text.data, text.length);
}

}  // namespace

BatchEncoder::BatchEncoder(const Tokenizer& tokenizer, std::size_t limit, Workspace* workspace,
                           IdBuffer* out)
    : tokenizer_(tokenizer),
      limit_(limit),
      slice_bytes_(slice_bytes(limit)),
      workspace_(workspace),
      cache_(workspace->cache),
      out_(out),
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

// Puts a text into the window, which is emptied first if it has no room.
void BatchEncoder::append(const Text& text, std::int64_t* row_end) {
  const std::size_t most = text.length * max_bytes_per_unit(text.kind) + 1;
  if (used_ + most > kWindowBytes || n_rows_ == kMaxRows) flush();
  std::uint8_t* at = workspace_->window.data() + used_;
  std::uint8_t* end = transcode(text, at);
  *end = ' ';
  used_ += static_cast<std::size_t>(end - at) + 1;
  rows_[n_rows_++] = {used_, row_end};
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

// Encodes a window of `text` from unit `begin` on and returns its length in units. Where there
// is no whitespace to cut at, that is all of the rest.
std::size_t BatchEncoder::encode_slice(const Text& text, std::size_t begin) {
  Text part = slice(text, begin, slice_bytes_ / max_bytes_per_unit(text.kind));
  if (begin + part.length < text.length) part.length = cut_at_space(part);
  if (part.length == 0) {
    const Text rest = slice(text, begin, text.length);
    tokenizer_.encode_plainly(rest, limit_ - (out_->size() - row_start_), out_);
    return rest.length;
  }
  std::uint8_t* window = workspace_->window.data();
  used_ = static_cast<std::size_t>(transcode(part, window) - window);
  flush();
  return part.length;
}

// Encodes what is in the window. Rows that end in it are finished.
void BatchEncoder::flush() {
  std::uint8_t* window = workspace_->window.data();
  std::memset(window + used_, ' ', kScanBlock);
  const std::size_t n_edges =
      scanner_kernel().find_edges(window, used_, workspace_->edges.data());
  for (std::size_t first = 0; first < n_edges / 2; first += kGroup) {
    look_up(first, std::min(kGroup, n_edges / 2 - first));
  }
  while (next_row_ < n_rows_) finish_row();
  n_rows_ = next_row_ = used_ = 0;
}

// Encodes `n` chunks of the window, at most kGroup.
void BatchEncoder::look_up(std::size_t first, std::size_t n) {
  const std::uint8_t* window = workspace_->window.data();
  const std::uint16_t* edges = workspace_->edges.data() + first * 2;
  Pending pending[kGroup];
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint8_t* chunk = window + edges[2 * i];
    const std::size_t length = static_cast<std::size_t>(edges[2 * i + 1] - edges[2 * i]);
    if (length <= kShortKeyBytes) {
      pending[i].key = load_short_key(chunk, length);
      pending[i].hash = hash(pending[i].key);
      __builtin_prefetch(cache_.short_bucket(pending[i].hash));
    } else if (length <= kLongKeyBytes) {
      pending[i].hash = hash(load_long_key(chunk, length));
      __builtin_prefetch(cache_.long_slot(pending[i].hash));
    }
  }
  out_->reserve_more(kGroup * (kLongIds + 1));
  for (std::size_t i = 0; i < n; ++i) {
    while (next_row_ < n_rows_ && edges[2 * i] >= rows_[next_row_].window_end) finish_row();
    const std::uint8_t* chunk = window + edges[2 * i];
    const std::size_t length = static_cast<std::size_t>(edges[2 * i + 1] - edges[2 * i]);
    if (length > kShortKeyBytes) {
      write_long(chunk, length, pending[i].hash);
      continue;
    }
    const ChunkCache::ShortSlot* bucket = cache_.short_bucket(pending[i].hash);
    const bool in_first = bucket[0].key == pending[i].key;
    const bool in_second = bucket[1].key == pending[i].key;
    if (in_first | in_second) {
      const ChunkCache::ShortSlot& slot = bucket[in_first ? 0 : 1];
      out_->push_block<4>(slot.ids, slot.count);
    } else {
      write_missed(chunk, length, pending[i]);
    }
  }
}

// Says where the current row ends and cuts it to the limit.
void BatchEncoder::finish_row() {
  if (out_->size() - row_start_ > limit_) out_->truncate(row_start_ + limit_);
  row_start_ = out_->size();
  *rows_[next_row_++].row_end = static_cast<std::int64_t>(row_start_);
}

void BatchEncoder::write_long(const std::uint8_t* chunk, std::size_t length,
                              std::uint64_t hash) {
  if (length > kLongKeyBytes) {
    encode_chunk(chunk, length);
    return;
  }
  const LongKey key = load_long_key(chunk, length);
  ChunkCache::LongSlot* slot = cache_.long_slot(hash);
  if (slot->key == key) {
    out_->push_block<8>(slot->ids, slot->count);
    return;
  }
  const std::size_t size = out_->size();
  encode_chunk(chunk, length);
  ChunkCache::insert(slot, key, out_->ids().data() + size, out_->size() - size);
}

// A short chunk that its bucket does not hold: it may be with the long ones for its ids.
void BatchEncoder::write_missed(const std::uint8_t* chunk, std::size_t length,
                                const Pending& pending) {
  const LongKey key{pending.key, {0, 0}};
  ChunkCache::LongSlot* slot = cache_.long_slot(hash(key));
  if (slot->key == key && slot->count > kShortIds) {
    out_->push_block<8>(slot->ids, slot->count);
    return;
  }
  const std::size_t size = out_->size();
  encode_chunk(chunk, length);
  const std::size_t count = out_->size() - size;
  const std::int32_t* ids = out_->ids().data() + size;
  if (count <= kShortIds) {
    ChunkCache::insert(cache_.short_bucket(pending.hash), pending.key, ids, count);
  } else {
    ChunkCache::insert(slot, key, ids, count);
  }
}

void BatchEncoder::encode_chunk(const std::uint8_t* chunk, std::size_t length) {
  TextEncoder<TranscodedReader, false>(tokenizer_, TranscodedReader(chunk, chunk + length),
                                       static_cast<std::size_t>(-1), out_)
      .encode();
  out_->reserve_more(kGroup * (kLongIds + 1));
}

}  // namespace bertfast
