// The vocabulary as a double-array trie over symbols, for greedy longest match.
//
// Aoe, "An efficient digital search algorithm by using a double-array structure"
// (1989). A node is a place in the array; its child by symbol s is at base + s if that
// place's check names the node. One look-up a symbol, one cache line a look-up: 12
// bytes a node against 16 a slot, at half load, in a hash of (node, symbol).
#ifndef BERTFAST_PIECE_TRIE_H_
#define BERTFAST_PIECE_TRIE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bertfast/char_map.h"

namespace bertfast {

constexpr std::int32_t kNoId = -1;

// A word piece as it stands in a word: without the "##" of a continuation.
struct Piece {
  std::vector<Symbol> symbols;
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

  // `pieces` must be distinct, with symbols in [1, alphabet_size). O(total length)
  // memory.
  PieceTrie(std::vector<Piece> pieces, Symbol alphabet_size);

  // The longest piece that begins symbols[0, n). O(longest piece). kUnknownSymbol
  // matches nothing.
  Match longest_match(const Symbol* symbols, std::size_t n,
                      bool is_continuation) const {
    Match best{kNoId, 0};
    std::uint32_t node = is_continuation ? kContinuationRoot : kWordRoot;
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint32_t child = nodes_[node].base + symbols[i];
      if (nodes_[child].check != node) break;
      node = child;
      if (nodes_[node].id != kNoId) best = {nodes_[node].id, i + 1};
    }
    return best;
  }

  std::size_t node_count() const { return nodes_.size(); }

 private:
  static constexpr std::uint32_t kWordRoot = 0;
  static constexpr std::uint32_t kContinuationRoot = 1;
  static constexpr std::uint32_t kFree = 0xFFFFFFFF;
  static constexpr std::uint32_t kNoParent = 0xFFFFFFFE;

  struct Node {
    std::uint32_t base;  // children at base + symbol; any index read stays in the array
    std::uint32_t check;  // the parent; kFree if nobody is here
    std::int32_t id;      // of the piece that ends here, or kNoId
  };
  friend class PieceTrieBuilder;

  std::vector<Node> nodes_;
};

}  // namespace bertfast

#endif  // BERTFAST_PIECE_TRIE_H_
