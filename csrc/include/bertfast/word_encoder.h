// Collects the symbols of one word and turns it into ids: WordpieceTokenizer.
#ifndef BERTFAST_WORD_ENCODER_H_
#define BERTFAST_WORD_ENCODER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "bertfast/id_buffer.h"
#include "bertfast/tokenizer.h"

namespace bertfast {

// One word at a time. With kSpans, remembers for every symbol the index of the code
// point that it comes from; without, indices are ignored and cost nothing.
template <bool kSpans>
class WordEncoder {
 public:
  WordEncoder(const Tokenizer& tokenizer, IdBuffer* out)
      : trie_(tokenizer.trie()), unk_id_(tokenizer.unk_id()), out_(out) {}

  void add(Symbol symbol, std::int64_t source) {
    if (length_ < kMaxWordLength) {
      symbols_[length_] = symbol;
      if (kSpans) sources_[length_] = static_cast<std::int32_t>(source);
    }
    if (kSpans) cover(length_, static_cast<std::int32_t>(source));
    ++length_;
  }

  // Takes letters from `reader` as long as they come; true, with the entry in
  // `stopped_at`, if something else came, false at the end. Most of a text is letters:
  // this is the loop that counts, and keeps its state in registers.
  template <class Reader>
  bool add_letters(const CharMap& map, Reader* reader, CharEntry* stopped_at) {
    Reader next = *reader;
    std::size_t length = length_;
    bool stopped = false;
    CodePoint code_point;
    while (next.next(&code_point)) {
      const CharEntry entry = map.entry(code_point);
      if (entry.action() != Action::kLetter) {
        *stopped_at = entry;
        stopped = true;
        break;
      }
      if (length < kMaxWordLength) symbols_[length] = entry.payload();
      if (kSpans) {
        const auto source = static_cast<std::int32_t>(next.index() - 1);
        if (length < kMaxWordLength) sources_[length] = source;
        cover(length, source);
      }
      ++length;
    }
    length_ = length;
    *reader = next;
    return stopped;
  }

  // Ends the word and takes a character that is a word of its own.
  void add_alone(Symbol symbol, std::int64_t source) {
    finish();
    push_alone(symbol, source);
  }

  // Takes a character that is a word of its own, and those of its kind that `reader`
  // has behind it, until `out` holds `full_size` ids.
  template <class Reader>
  void add_run_alone(const CharMap& map, CharEntry first, std::size_t full_size,
                     Reader* reader) {
    add_alone(first.payload(), reader->index() - 1);
    while (out_->size() < full_size) {
      Reader next = *reader;
      CodePoint code_point;
      if (!next.next(&code_point)) return;
      const CharEntry entry = map.entry(code_point);
      if (entry.action() != first.action()) return;
      *reader = next;
      push_alone(entry.payload(), next.index() - 1);
    }
  }

  // Forgets the word.
  void clear() { length_ = 0; }

  // Appends the word's ids and starts the next word.
  void finish() {
    if (length_ == 0) return;
    out_->reserve_more(kMaxWordLength);
    const std::size_t start = out_->size();
    if (length_ > kMaxWordLength || !split()) {
      out_->truncate(start);
      push(unk_id_, word_span_);
    }
    clear();
  }

 private:
  // Greedy longest match first; false if some rest matches nothing.
  bool split() {
    std::size_t begin = 0;
    while (begin < length_) {
      const PieceTrie::Match match =
          trie_.longest_match(symbols_ + begin, length_ - begin, begin > 0);
      if (match.id == kNoId) return false;
      push(match.id, kSpans ? piece_span(begin, begin + match.length) : Span{});
      begin += match.length;
    }
    return true;
  }

  void push_alone(Symbol symbol, std::int64_t source) {
    out_->reserve_more(1);
    const std::int32_t id = trie_.word_of_one(symbol);
    const auto begin = static_cast<std::int32_t>(source);
    push(id == kNoId ? unk_id_ : id, {begin, begin + 1});
  }

  void push(std::int32_t id, Span span) {
    if (kSpans) {
      out_->push(id, span);
    } else {
      out_->push(id);
    }
  }

  void cover(std::size_t length, std::int32_t source) {
    if (length == 0) word_span_ = {source, source + 1};
    word_span_.begin = std::min(word_span_.begin, source);
    word_span_.end = std::max(word_span_.end, source + 1);
  }

  // Sources may be out of order where marks were sorted.
  Span piece_span(std::size_t begin, std::size_t end) const {
    const auto [low, high] = std::minmax_element(sources_ + begin, sources_ + end);
    return {*low, *high + 1};
  }

  const PieceTrie& trie_;
  const std::int32_t unk_id_;
  IdBuffer* out_;
  std::size_t length_ = 0;  // may exceed what is stored
  Span word_span_{};
  Symbol symbols_[kMaxWordLength];
  std::int32_t sources_[kSpans ? kMaxWordLength : 1];
};

}  // namespace bertfast

#endif  // BERTFAST_WORD_ENCODER_H_
