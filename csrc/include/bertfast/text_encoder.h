// The plain road from a text to ids, code point by code point: for chunks not seen
// before, for what has no whitespace to cut at, and for spans.
#ifndef BERTFAST_TEXT_ENCODER_H_
#define BERTFAST_TEXT_ENCODER_H_

#include <cstddef>
#include <cstdint>

#include "bertfast/char_map.h"
#include "bertfast/context.h"
#include "bertfast/id_buffer.h"
#include "bertfast/tokenizer.h"
#include "bertfast/word_encoder.h"

namespace bertfast {

// Encodes one text. See ContextualChunk for what kContext means.
template <class Reader, bool kSpans>
class TextEncoder {
 public:
  TextEncoder(const Tokenizer& tokenizer, Reader reader, std::size_t limit,
              IdBuffer* out)
      : tokenizer_(tokenizer),
        map_(tokenizer.char_map()),
        out_(out),
        full_size_(limit > static_cast<std::size_t>(-1) - out->size()
                       ? static_cast<std::size_t>(-1)
                       : out->size() + limit),
        word_(tokenizer, out),
        reader_(reader),
        chunk_start_(reader),
        chunk_out_size_(out->size()) {}

  void encode() {
    CharEntry entry;
    while (out_->size() < full_size_ && word_.add_letters(map_, &reader_, &entry))
      act(entry);
    word_.finish();
    if (out_->size() > full_size_) out_->truncate(full_size_);
  }

 private:
  // Takes the code point that has just been read, which is no letter.
  void act(CharEntry entry) {
    const std::int64_t source = reader_.index() - 1;
    switch (entry.action()) {
      case Action::kLetter:
      case Action::kDrop:
        break;
      case Action::kSpace:
        word_.finish();
        start_chunk();
        break;
      case Action::kPunctuation:
        word_.add_run_alone(map_, entry, full_size_, &reader_);
        break;
      case Action::kCjk:
        word_.add_run_alone(map_, entry, full_size_, &reader_);
        start_chunk();
        break;
      case Action::kExpand:
        expand(entry, source);
        break;
      case Action::kContext:
        encode_chunk_in_context();
        break;
    }
  }

  void start_chunk() {
    chunk_start_ = reader_;
    chunk_out_size_ = out_->size();
  }

  void expand(CharEntry entry, std::int64_t source) {
    const ExpandedSymbol* end = map_.expansion_end(entry);
    for (const ExpandedSymbol* part = map_.expansion_begin(entry); part != end;
         ++part) {
      if (part->is_punctuation) {
        word_.add_alone(part->symbol, source);
      } else {
        word_.add(part->symbol, source);
      }
    }
  }

  // Starts the chunk over, minding its neighbours.
  void encode_chunk_in_context() {
    out_->truncate(chunk_out_size_);
    word_.clear();
    ContextualChunk<Reader, kSpans> chunk(tokenizer_, out_, full_size_, &word_);
    reader_ = chunk.encode(chunk_start_);
    start_chunk();
  }

  const Tokenizer& tokenizer_;
  const CharMap& map_;
  IdBuffer* out_;
  const std::size_t full_size_;
  WordEncoder<kSpans> word_;
  Reader reader_;
  Reader chunk_start_;
  std::size_t chunk_out_size_;
};

}  // namespace bertfast

#endif  // BERTFAST_TEXT_ENCODER_H_
