// The rare chunks in which a character depends on its neighbours: the final-sigma rule
// of str.lower(), and canonical reordering of combining marks that survive accent
// stripping. Each is on if its text rule is. Both look no further than the chunk, the
// stretch between whitespace or CJK characters.
#ifndef BERTFAST_CONTEXT_H_
#define BERTFAST_CONTEXT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "bertfast/tokenizer.h"
#include "bertfast/unicode.h"
#include "bertfast/word_encoder.h"

namespace bertfast {

// Encodes one chunk with both rules. Memory is constant and time linear: a sigma looks
// ahead over ignorable characters only, which no other sigma looks over, and of a run
// of marks over kMaxWordLength only the number matters. Source: CPython
// Objects/unicodeobject.c, handle_capital_sigma; Unicode 15, section 3.11.
template <class Reader, bool kSpans>
class ContextualChunk {
 public:
  ContextualChunk(const Tokenizer& tokenizer, const IdBuffer* out,
                  std::size_t full_size, WordEncoder<kSpans>* word)
      : alphabet_(tokenizer.alphabet()),
        map_(tokenizer.char_map()),
        rules_(map_.rules()),
        out_(out),
        full_size_(full_size),
        word_(word) {}

  // Encodes from `reader` to the chunk's end, or until `out` holds `full_size` ids;
  // returns the reader there, before the space or CJK character that ends the chunk.
  Reader encode(Reader reader) {
    for (;;) {
      const Reader here = reader;
      CodePoint code_point;
      if (out_->size() >= full_size_ || !reader.next(&code_point)) return finish(here);
      const UnicodeRecord record = unicode_record(code_point);
      if (record.is_dropped()) continue;
      if (ends_chunk(record)) return finish(here);
      take(code_point, reader);
      if (!record.is_ignorable()) after_cased_ = record.is_cased();
    }
  }

 private:
  struct Mark {
    Symbol symbol;
    int combining_class;
    std::int64_t source;
  };

  // Takes one code point, which `reader` has just read. Where no marks wait, nothing
  // but a sigma and a mark depends on its neighbours.
  void take(CodePoint code_point, const Reader& reader) {
    const std::int64_t source = reader.index() - 1;
    const CharEntry entry = map_.entry(code_point);
    if (rules_.do_lower_case && code_point == kCapitalSigma) {
      add(is_final(reader) ? kFinalSigma : kSmallSigma, source);
    } else if (n_marks_ == 0 && entry.action() == Action::kLetter) {
      word_->add(entry.payload(), source);
    } else if (n_marks_ == 0 && entry.action() == Action::kPunctuation) {
      word_->add_alone(entry.payload(), source);
    } else {
      for (const CodePoint part : NormalForm(code_point, rules_)) add(part, source);
    }
  }

  bool ends_chunk(UnicodeRecord record) const {
    return record.is_space() || (record.is_cjk() && rules_.tokenize_chinese_chars);
  }

  // Whether a sigma that `reader` has just read ends a word in the sense of
  // str.lower().
  bool is_final(Reader reader) const {
    if (!after_cased_) return false;
    CodePoint code_point;
    while (reader.next(&code_point)) {
      const UnicodeRecord record = unicode_record(code_point);
      if (record.is_dropped() || record.is_ignorable()) continue;
      return ends_chunk(record) || !record.is_cased();
    }
    return true;
  }

  // Takes one code point after lowering and decomposition.
  void add(CodePoint code_point, std::int64_t source) {
    const UnicodeRecord record = unicode_record(code_point);
    if (rules_.strip_accents) {
      if (record.combining_class() != 0) {
        if (!record.is_mark())
          add_mark({alphabet_.symbol(code_point), record.combining_class(), source});
        return;
      }
      flush_marks();
      if (record.is_mark()) return;
    }
    if (record.is_punctuation()) {
      word_->add_alone(alphabet_.symbol(code_point), source);
    } else {
      word_->add(alphabet_.symbol(code_point), source);
    }
  }

  void add_mark(Mark mark) {
    if (n_marks_ < kMaxWordLength + 1) {
      marks_[n_marks_++] = mark;
    } else {
      word_->add(kUnknownSymbol, mark.source);  // the word is too long in any order
    }
  }

  void flush_marks() {
    std::stable_sort(marks_, marks_ + n_marks_, [](const Mark& a, const Mark& b) {
      return a.combining_class < b.combining_class;
    });
    for (std::size_t i = 0; i < n_marks_; ++i)
      word_->add(marks_[i].symbol, marks_[i].source);
    n_marks_ = 0;
  }

  Reader finish(Reader reader) {
    flush_marks();
    word_->finish();
    return reader;
  }

  const Alphabet& alphabet_;
  const CharMap& map_;
  const TextRules& rules_;
  const IdBuffer* out_;
  const std::size_t full_size_;
  WordEncoder<kSpans>* word_;
  bool after_cased_ = false;
  std::size_t n_marks_ = 0;
  Mark marks_[kMaxWordLength + 1];
};

}  // namespace bertfast

#endif  // BERTFAST_CONTEXT_H_
