// What one vocabulary and its text rules make of each code point: the whole of
// cleaning, CJK isolation, lowering, NFD, accent stripping and punctuation in one table
// look-up.
#ifndef BERTFAST_CHAR_MAP_H_
#define BERTFAST_CHAR_MAP_H_

#include <cstdint>
#include <vector>

#include "bertfast/normal_form.h"
#include "bertfast/token_strings.h"
#include "bertfast/unicode.h"

namespace bertfast {

// A character of the vocabulary, numbered from 1; 0 is any character that it has not.
using Symbol = std::uint32_t;
constexpr Symbol kUnknownSymbol = 0;

// Symbols for the characters of a vocabulary, the most frequent ones first, so that the
// trie's rows over them are short.
class Alphabet {
 public:
  // Numbers the code points of `tokens`. O(total length).
  explicit Alphabet(const TokenStrings& tokens);

  // The symbol of `code_point`, kUnknownSymbol if no token holds it.
  Symbol symbol(CodePoint code_point) const {
    return symbols_[pages_[code_point >> kPageBits] << kPageBits |
                    (code_point & (kPageSize - 1))];
  }
  // Symbols are below this.
  Symbol size() const { return size_; }
  // Whether any code point of a page has a symbol.
  bool has_page(CodePoint page) const { return pages_[page] != 0; }

 private:
  Symbol* place(CodePoint code_point);

  Symbol size_ = 1;
  std::vector<std::uint32_t> pages_;  // 0: the page of no symbols
  std::vector<Symbol> symbols_;
};

// What to do on a code point.
enum class Action : std::uint32_t {
  kLetter,       // payload: its symbol
  kDrop,         // nothing
  kSpace,        // the word ends
  kPunctuation,  // the word ends; payload: a symbol that is a word of its own
  kCjk,          // the same, and a context for sigma and canonical order ends, too
  kExpand,       // payload: a sequence of symbols
  kContext,      // depends on its neighbours: capital sigma, marks that sort
};

struct CharEntry {
  std::uint32_t bits;
  Action action() const { return static_cast<Action>(bits & 7); }
  std::uint32_t payload() const { return bits >> 3; }
};

// One element of an expansion.
struct ExpandedSymbol {
  Symbol symbol;
  bool is_punctuation;
};

// Immutable after construction; reading is thread-safe.
class CharMap {
 public:
  // O(distinct Unicode pages + pages with a symbol): about a millisecond.
  CharMap(const Alphabet& alphabet, const TextRules& rules);

  const TextRules& rules() const { return rules_; }

  CharEntry entry(CodePoint code_point) const {
    return entries_[pages_[code_point >> kPageBits] << kPageBits |
                    (code_point & (kPageSize - 1))];
  }
  // The elements that an entry with Action::kExpand stands for: two to kMaxParts.
  const ExpandedSymbol* expansion_begin(CharEntry entry) const {
    return &expansions_[entry.payload() >> 3];
  }
  const ExpandedSymbol* expansion_end(CharEntry entry) const {
    return expansion_begin(entry) + (entry.payload() & 7);
  }

 private:
  CharEntry make_entry(const Alphabet& alphabet, CodePoint code_point);
  CharEntry make_normal_entry(const Alphabet& alphabet, CodePoint code_point);
  void append_page(const Alphabet& alphabet, CodePoint page);

  TextRules rules_;
  std::vector<std::uint32_t> pages_;
  std::vector<CharEntry> entries_;
  std::vector<ExpandedSymbol> expansions_;
};

}  // namespace bertfast

#endif  // BERTFAST_CHAR_MAP_H_
