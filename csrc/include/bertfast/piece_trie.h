// The vocabulary as a double-array trie over symbols, for greedy longest match.
//
// Aoe, "An efficient digital search algorithm by using a double-array structure"
// (1989). A node is a place in the array; its child by symbol s is at base + s if that
// place's check names the node. One look-up a symbol, one cache line a look-up. What a
// walk reads is 8 bytes a node: the ids are apart and only read for the piece that is
// taken, since most of a walk's time is waiting for memory.
#ifndef BERTFAST_PIECE_TRIE_H_
#define BERTFAST_PIECE_TRIE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bertfast/char_map.h"

namespace bertfast {

constexpr std::int32_t kNoId = -1;

// A word piece as it stands in a word: without the "##" of a continuation. It is at
// least one symbol of memory that somebody else owns.
struct Piece {
  const Symbol* symbols;
  std::size_t length;
  std::int32_t id;
  bool is_continuation;
};

// Immutable after construction; matching is thread-safe.
class PieceTrie {
 public:
  struct Match {
    std::int32_t id;     // kNoId if no piece matches
    std::size_t length;  // in symbols
  };

  // `pieces` must be distinct, with symbols in [1, alphabet_size); they are not kept.
  // O(total length) memory.
  PieceTrie(const std::vector<Piece>& pieces, Symbol alphabet_size);

  // The longest piece that begins symbols[0, n). O(longest piece). kUnknownSymbol
  // matches nothing.
  Match longest_match(const Symbol* symbols, std::size_t n,
                      bool is_continuation) const {
    std::uint32_t node = is_continuation ? kContinuationRoot : kWordRoot;
    std::uint32_t base = nodes_[node].base;
    std::uint32_t last = kNoParent;
    std::size_t length = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint32_t child = (base & kBaseMask) + symbols[i];
      if (nodes_[child].check != node) break;
      node = child;
      base = nodes_[node].base;
      if (base & kIsPiece) {
        last = node;
        length = i + 1;
      }
    }
    return {last == kNoParent ? kNoId : ids_[last], length};
  }

  // The id of the whole word `symbol`, or kNoId.
  std::int32_t word_of_one(Symbol symbol) const { return words_of_one_[symbol]; }

  std::size_t node_count() const { return nodes_.size(); }

 private:
  static constexpr std::uint32_t kWordRoot = 0;
  static constexpr std::uint32_t kContinuationRoot = 1;
  static constexpr std::uint32_t kFree = 0xFFFFFFFF;
  static constexpr std::uint32_t kNoParent = 0xFFFFFFFE;

  static constexpr std::uint32_t kIsPiece = 1u << 31;
  static constexpr std::uint32_t kBaseMask = kIsPiece - 1;

  struct Node {
    std::uint32_t base;   // children at base + symbol, always in the array; | kIsPiece
    std::uint32_t check;  // the parent; kFree if nobody is here
  };
  friend class PieceTrieBuilder;

  std::vector<Node> nodes_;
  std::vector<std::int32_t> ids_;           // of the piece that ends at a node
  std::vector<std::int32_t> words_of_one_;  // by symbol
};

}  // namespace bertfast

#endif  // BERTFAST_PIECE_TRIE_H_
