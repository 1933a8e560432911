#include "bertfast/piece_trie.h"

#include <algorithm>
#include <utility>

namespace bertfast {
namespace {

// The places of a double array that are taken, a bit each: 64 bases are tried at once.
class TakenPlaces {
 public:
  void take(std::size_t place) {
    if (place / kBits >= words_.size()) words_.resize(place / kBits + 1);
    words_[place / kBits] |= std::uint64_t{1} << place % kBits;
  }
  // Bit i: whether place `first` + i is taken.
  std::uint64_t from(std::size_t first) const {
    const std::size_t word = first / kBits;
    const std::size_t shift = first % kBits;
    const std::uint64_t low = at(word) >> shift;
    return shift == 0 ? low : low | at(word + 1) << (kBits - shift);
  }
  // The first free place from `place` on.
  std::size_t next_free(std::size_t place) const {
    std::uint64_t taken;
    while ((taken = from(place)) == kAll) place += kBits;
    return place + static_cast<std::size_t>(__builtin_ctzll(~taken));
  }

  static constexpr std::size_t kBits = 64;
  static constexpr std::uint64_t kAll = ~std::uint64_t{0};

 private:
  std::uint64_t at(std::size_t word) const {
    return word < words_.size() ? words_[word] : 0;
  }

  std::vector<std::uint64_t> words_;
};

// A piece with what it is sorted by: words before continuations, then symbol by symbol.
struct SortedPiece {
  std::uint64_t prefix;  // see Prefixes
  const Symbol* symbols;
  std::uint32_t length;
  std::int32_t id;
};

// The beginnings of pieces as numbers in the same order. Six symbols and more of a
// Latin vocabulary, which decide nearly always and are read faster than the symbols:
//
//   | continuation 1 | symbol 0 | symbol 1 | ... |     a symbol that is not there: 0
class Prefixes {
 public:
  explicit Prefixes(Symbol alphabet_size) {
    while (alphabet_size >> bits_ != 0) ++bits_;
    size_ = (64 - 1) / bits_;
  }

  SortedPiece sorted(const Piece& piece) const {
    std::uint64_t prefix = piece.is_continuation ? 1 : 0;
    for (std::size_t i = 0; i < size_; ++i)
      prefix = prefix << bits_ | (i < piece.length ? piece.symbols[i] : 0);
    return {prefix, piece.symbols, static_cast<std::uint32_t>(piece.length), piece.id};
  }
  Symbol symbol(const SortedPiece& piece, std::size_t i) const {
    if (i >= size_) return piece.symbols[i];
    const std::uint64_t shifted = piece.prefix >> (size_ - 1 - i) * bits_;
    return static_cast<Symbol>(shifted & ((std::uint64_t{1} << bits_) - 1));
  }
  bool is_continuation(const SortedPiece& piece) const {
    return piece.prefix >> size_ * bits_ != 0;
  }

 private:
  std::size_t bits_ = 1;  // of a symbol
  std::size_t size_;      // in symbols
};

// Sorts by prefix: by its digits, the lowest first.
void sort_by_prefix(std::vector<SortedPiece>* pieces) {
  constexpr std::size_t kDigitBits = 11;
  constexpr std::size_t kDigits = std::size_t{1} << kDigitBits;
  std::vector<SortedPiece> sorted(pieces->size());
  for (std::size_t shift = 0; shift < 64; shift += kDigitBits) {
    const auto digit = [shift](const SortedPiece& piece) {
      return static_cast<std::size_t>(piece.prefix >> shift) & (kDigits - 1);
    };
    std::size_t counts[kDigits] = {};
    for (const SortedPiece& piece : *pieces) ++counts[digit(piece)];
    std::size_t begin = 0;
    for (std::size_t& count : counts) begin += std::exchange(count, begin);
    for (const SortedPiece& piece : *pieces) sorted[counts[digit(piece)]++] = piece;
    pieces->swap(sorted);
  }
}

bool comes_before(const SortedPiece& a, const SortedPiece& b) {
  return std::lexicographical_compare(a.symbols, a.symbols + a.length, b.symbols,
                                      b.symbols + b.length);
}

void sort_pieces(std::vector<SortedPiece>* pieces) {
  sort_by_prefix(pieces);
  for (auto begin = pieces->begin(); begin != pieces->end();) {
    auto end = begin + 1;
    while (end != pieces->end() && end->prefix == begin->prefix) ++end;
    if (end - begin > 1) std::sort(begin, end, comes_before);
    begin = end;
  }
}

}  // namespace

// Places nodes breadth first: a node's children go to the first base whose places are
// free.
class PieceTrieBuilder {
 public:
  PieceTrieBuilder(const std::vector<Piece>& pieces, Symbol alphabet_size,
                   PieceTrie* trie)
      : prefixes_(alphabet_size),
        alphabet_size_(alphabet_size),
        nodes_(trie->nodes_),
        ids_(trie->ids_) {
    pieces_.reserve(pieces.size());
    for (const Piece& piece : pieces) pieces_.push_back(prefixes_.sorted(piece));
  }

  void build() {
    sort_pieces(&pieces_);
    const auto first_continuation = std::find_if(
        pieces_.begin(), pieces_.end(),
        [this](const SortedPiece& piece) { return prefixes_.is_continuation(piece); });
    const auto middle = static_cast<std::size_t>(first_continuation - pieces_.begin());
    reserve();
    grow_to(2);
    take(PieceTrie::kWordRoot, PieceTrie::kNoParent);
    take(PieceTrie::kContinuationRoot, PieceTrie::kNoParent);
    queue_.push_back({PieceTrie::kWordRoot, 0, middle, 0});
    queue_.push_back({PieceTrie::kContinuationRoot, middle, pieces_.size(), 0});
    for (std::size_t i = 0; i < queue_.size(); ++i) place_children(queue_[i]);
    // Any base + any symbol is a valid index.
    grow_to(static_cast<std::size_t>(highest_base_) + alphabet_size_);
    nodes_.shrink_to_fit();
    ids_.shrink_to_fit();
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

  // Released vocabularies have two to three nodes a piece.
  void reserve() {
    const std::size_t n_nodes = 3 * pieces_.size() + alphabet_size_;
    nodes_.reserve(n_nodes);
    ids_.reserve(n_nodes);
    queue_.reserve(n_nodes);
  }

  void place_children(Range range) {
    while (range.begin < range.end && pieces_[range.begin].length == range.depth) {
      nodes_[range.node].base = PieceTrie::kIsPiece;
      ids_[range.node] = pieces_[range.begin++].id;
    }
    if (range.begin == range.end) {
      // A leaf. Base 0 reaches places below the alphabet's size, whose check names
      // another node: the search loop needs no test for it.
      return;
    }
    const std::size_t first_child = queue_.size();
    symbols_.clear();
    for (std::size_t i = range.begin; i < range.end;) {
      const Symbol symbol = prefixes_.symbol(pieces_[i], range.depth);
      std::size_t end = i + 1;
      while (end < range.end && prefixes_.symbol(pieces_[end], range.depth) == symbol)
        ++end;
      symbols_.push_back(symbol);
      queue_.push_back({0, i, end, range.depth + 1});
      i = end;
    }
    const std::uint32_t base = find_base();
    nodes_[range.node].base |= base;
    for (std::size_t i = 0; i < symbols_.size(); ++i) {
      queue_[first_child + i].node = base + symbols_[i];
      take(base + symbols_[i], range.node);
    }
  }

  // First fit of `symbols_` from the lowest free place, giving up on crowded starts:
  // after many misses the search start moves on, which bounds the work and wastes a few
  // per cent of the places.
  std::uint32_t find_base() {
    search_from_ = taken_.next_free(search_from_);
    std::size_t base = search_from_ > symbols_[0] ? search_from_ - symbols_[0] : 0;
    const std::size_t first = base;
    std::uint64_t misfits;
    while ((misfits = misfits_from(base)) == TakenPlaces::kAll)
      base += TakenPlaces::kBits;
    base += static_cast<std::size_t>(__builtin_ctzll(~misfits));
    if (base > first + kPatience) {
      search_from_ = std::max(search_from_, base + symbols_[0] - kPatience / 2);
    }
    grow_to(base + symbols_.back() + 1);
    highest_base_ = std::max(highest_base_, static_cast<std::uint32_t>(base));
    return static_cast<std::uint32_t>(base);
  }

  // Bit i: whether a place that base `first` + i needs is taken.
  std::uint64_t misfits_from(std::size_t first) const {
    std::uint64_t misfits = 0;
    for (const Symbol symbol : symbols_) {
      misfits |= taken_.from(first + symbol);
      if (misfits == TakenPlaces::kAll) break;
    }
    return misfits;
  }

  void take(std::uint32_t place, std::uint32_t parent) {
    nodes_[place].check = parent;
    taken_.take(place);
  }
  void grow_to(std::size_t size) {
    if (size <= nodes_.size()) return;
    nodes_.resize(size, {0, PieceTrie::kFree});
    ids_.resize(size, kNoId);
  }

  static constexpr std::size_t kPatience = 1024;

  const Prefixes prefixes_;
  std::vector<SortedPiece> pieces_;
  const Symbol alphabet_size_;
  std::vector<PieceTrie::Node>& nodes_;
  std::vector<std::int32_t>& ids_;
  TakenPlaces taken_;
  std::vector<Range> queue_;
  std::vector<Symbol> symbols_;  // of the children that are being placed
  std::size_t search_from_ = 2;
  std::uint32_t highest_base_ = 0;
};

PieceTrie::PieceTrie(const std::vector<Piece>& pieces, Symbol alphabet_size)
    : words_of_one_(alphabet_size, kNoId) {
  for (const Piece& piece : pieces) {
    if (piece.length == 1 && !piece.is_continuation) {
      words_of_one_[piece.symbols[0]] = piece.id;
    }
  }
  PieceTrieBuilder(pieces, alphabet_size, this).build();
}

}  // namespace bertfast
