// The fast road from texts to ids: many texts in one window, chunk by chunk from the
// cache.
//
//   texts --transcode--> window "the cat sat\nunseen w…" --scan--> edges 0,3 4,7 …
//         --key, hash, prefetch (64 chunks)--> slots --hit--> ids
//                                                    --miss--> TextEncoder, remembered
//
// Words of one character leave the text while it is transcoded, their ids at once, and
// come back where their mark stands.
//
// Rows lie one behind the other in the window, a space between them, so that a short
// text costs no more a byte than a long one.
#ifndef BERTFAST_BATCH_ENCODER_H_
#define BERTFAST_BATCH_ENCODER_H_

#include <cstddef>
#include <cstdint>

#include "bertfast/id_buffer.h"
#include "bertfast/text.h"
#include "bertfast/tokenizer.h"
#include "bertfast/workspace.h"

namespace bertfast {

class BatchEncoder {
 public:
  // `workspace` has a cache.
  BatchEncoder(const Tokenizer& tokenizer, std::size_t limit, Workspace* workspace,
               IdBuffer* out);

  // Encodes rows [begin, end) of `texts` and stores the size of `out` after each in
  // `row_ends`.
  void encode(const Text* texts, std::size_t begin, std::size_t end,
              std::int64_t* row_ends);

 private:
  static constexpr std::size_t kMaxRows = 256;
  static constexpr std::size_t kGroup = 64;  // chunks whose slots are fetched at a time

  // Room for the ids of a group, made at its start and again after each one that was
  // missed.
  static constexpr std::size_t kRoom = kGroup * kLongIds + kMaxRingIds;

  // Where the row ends in the window, and where to say so.
  struct Row {
    std::uint32_t window_end;
    std::int64_t* row_end;
  };
  // A chunk of the window whose slots are on their way to the processor's cache.
  struct Pending {
    ShortKey key;
    ChunkCache::ShortSlot*
        bucket;  // one that no key is in for chunks over kShortKeyBytes
  };

  FoundWordsOfOne* found();
  std::size_t room_for_found() const;
  void append(const Text& text, std::int64_t* row_end);
  void encode_long(const Text& text, std::int64_t* row_end);
  std::size_t encode_slice(const Text& text, std::size_t begin);
  void flush();
  void fetch(const std::uint16_t* edges, std::size_t n, Pending* pending);
  std::int32_t* copy_run(std::size_t length, std::int32_t* out);
  void look_up(const std::uint16_t* edges, std::size_t n, const Pending* pending);
  void look_up_with_spans(const std::uint16_t* edges, std::size_t n,
                          const Pending* pending);
  void write_spans(const std::uint8_t* chunk, std::size_t length, std::size_t size);
  std::int32_t code_point_index(std::size_t window_index) const;
  void shift_spans(std::size_t size, std::int32_t by);
  std::uint32_t finish_row();
  std::uint32_t next_row_end() const;
  void write_missed(const std::uint8_t* chunk, std::size_t length,
                    const Pending& pending);
  void write_missed_short(const std::uint8_t* chunk, std::size_t length,
                          const Pending& pending);
  void write_missed_long(const std::uint8_t* chunk, std::size_t length);
  template <class Cached>
  bool write_cached(const Cached& cached);
  template <bool kSpans>
  void encode_chunk(const std::uint8_t* chunk, std::size_t length);

  const Tokenizer& tokenizer_;
  const std::size_t limit_;
  const std::size_t slice_bytes_;  // of a long text at a time
  Workspace* workspace_;
  ChunkCache& cache_;
  IdBuffer* out_;
  FoundWordsOfOne found_;
  std::size_t n_found_ = 0;             // in the window
  std::int32_t* next_found_ = nullptr;  // of those, not yet written
  std::size_t used_ = 0;                // bytes of the window
  std::size_t row_start_;               // size of out_ where the current row began
  std::size_t n_rows_ = 0;              // in the window
  std::size_t next_row_ = 0;            // of those, not yet finished
  Row rows_[kMaxRows];

  // For spans: where the current row begins in the window, how many continuation bytes
  // it has had since, and how many code points before this window.
  std::size_t row_window_begin_ = 0;
  std::size_t row_continuations_ = 0;
  std::int32_t row_code_points_ = 0;
};

}  // namespace bertfast

#endif  // BERTFAST_BATCH_ENCODER_H_
