#include "bertfast/piece_trie.h"

#include <algorithm>

namespace bertfast {

// Places nodes breadth first: a node's children go to the first base whose places are
// free.
class PieceTrieBuilder {
 public:
  PieceTrieBuilder(std::vector<Piece> pieces, Symbol alphabet_size, PieceTrie* trie)
      : pieces_(std::move(pieces)),
        alphabet_size_(alphabet_size),
        nodes_(trie->nodes_),
        ids_(trie->ids_) {}

  void build() {
    std::sort(pieces_.begin(), pieces_.end(), [](const Piece& a, const Piece& b) {
      if (a.is_continuation != b.is_continuation) return b.is_continuation;
      return a.symbols < b.symbols;
    });
    const auto first_continuation =
        std::find_if(pieces_.begin(), pieces_.end(),
                     [](const Piece& piece) { return piece.is_continuation; });
    const auto middle = static_cast<std::size_t>(first_continuation - pieces_.begin());
    grow_to(2);
    take(PieceTrie::kWordRoot, PieceTrie::kNoParent);
    take(PieceTrie::kContinuationRoot, PieceTrie::kNoParent);
    queue_.push_back({PieceTrie::kWordRoot, 0, middle, 0});
    queue_.push_back({PieceTrie::kContinuationRoot, middle, pieces_.size(), 0});
    for (std::size_t i = 0; i < queue_.size(); ++i) place_children(queue_[i]);
    // Any base + any symbol is a valid index.
    std::uint32_t highest = 0;
    for (const auto& node : nodes_)
      highest = std::max(highest, node.base & PieceTrie::kBaseMask);
    grow_to(static_cast<std::size_t>(highest) + alphabet_size_);
  }

 private:
  // The pieces [begin, end), which agree in their first `depth` symbols, hang below
  // `node`.
  struct Range {
    std::uint32_t node;
    std::size_t begin;
    std::size_t end;
    std::size_t depth;
  };

  void place_children(Range range) {
    while (range.begin < range.end &&
           pieces_[range.begin].symbols.size() == range.depth) {
      nodes_[range.node].base = PieceTrie::kIsPiece;
      ids_[range.node] = pieces_[range.begin++].id;
    }
    if (range.begin == range.end) {
      // A leaf. Base 0 reaches places below the alphabet's size, whose check names
      // another node: the search loop needs no test for it.
      return;
    }
    std::vector<Range> children;
    std::vector<Symbol> symbols;
    for (std::size_t i = range.begin; i < range.end;) {
      const Symbol symbol = pieces_[i].symbols[range.depth];
      std::size_t end = i;
      while (end < range.end && pieces_[end].symbols[range.depth] == symbol) ++end;
      symbols.push_back(symbol);
      children.push_back({0, i, end, range.depth + 1});
      i = end;
    }
    const std::uint32_t base = find_base(symbols);
    nodes_[range.node].base |= base;
    for (std::size_t i = 0; i < children.size(); ++i) {
      children[i].node = base + symbols[i];
      take(children[i].node, range.node);
      queue_.push_back(children[i]);
    }
  }

  // First fit from the lowest free place, giving up on crowded starts: after 64 misses
  // the search start moves on, which bounds the work and wastes a few per cent of the
  // places.
  std::uint32_t find_base(const std::vector<Symbol>& symbols) {
    while (is_taken(search_from_)) ++search_from_;
    std::size_t misses = 0;
    for (std::size_t place = search_from_;; ++place) {
      if (place < symbols[0] || is_taken(place)) continue;
      const std::size_t base = place - symbols[0];
      const bool fits =
          std::none_of(symbols.begin(), symbols.end(),
                       [&](Symbol symbol) { return is_taken(base + symbol); });
      if (fits) {
        if (misses > 64) search_from_ = std::max(search_from_, place - 32);
        grow_to(base + symbols.back() + 1);
        return static_cast<std::uint32_t>(base);
      }
      ++misses;
    }
  }

  bool is_taken(std::size_t place) const {
    return place < nodes_.size() && nodes_[place].check != PieceTrie::kFree;
  }
  void take(std::uint32_t place, std::uint32_t parent) { nodes_[place].check = parent; }
  void grow_to(std::size_t size) {
    if (size <= nodes_.size()) return;
    nodes_.resize(size, {0, PieceTrie::kFree});
    ids_.resize(size, kNoId);
  }

  std::vector<Piece> pieces_;
  const Symbol alphabet_size_;
  std::vector<PieceTrie::Node>& nodes_;
  std::vector<std::int32_t>& ids_;
  std::vector<Range> queue_;
  std::size_t search_from_ = 2;
};

PieceTrie::PieceTrie(std::vector<Piece> pieces, Symbol alphabet_size)
    : words_of_one_(alphabet_size, kNoId) {
  for (const Piece& piece : pieces) {
    if (piece.symbols.size() == 1 && !piece.is_continuation) {
      words_of_one_[piece.symbols[0]] = piece.id;
    }
  }
  PieceTrieBuilder(std::move(pieces), alphabet_size, this).build();
}

}  // namespace bertfast
