#include "bertfast/first_words.h"

#include <cstring>

#include "bertfast/transcode.h"

namespace bertfast {
namespace {

// Bytes of a word, and what transcode() and the loading of keys need behind them.
using WordBytes = std::uint8_t[kLongKeyBytes * 4 + 2 * kLongKeyBytes];

constexpr std::uint8_t kCapitalBit = 'a' - 'A';

bool is_whole_word(CodePoints token, const Alphabet& alphabet, const CharMap& map) {
  if (token.empty() || token.size() > kLongKeyBytes) return false;
  for (const CodePoint code_point : token) {
    const CharEntry entry = map.entry(code_point);
    if (entry.action() != Action::kLetter) return false;
    if (entry.payload() != alphabet.symbol(code_point)) return false;
  }
  return true;
}

// Slots are fetched some words before they are written.
class Inserter {
 public:
  explicit Inserter(ChunkCache* cache) : cache_(cache) {}
  ~Inserter() { flush(); }
  Inserter(const Inserter&) = delete;
  Inserter& operator=(const Inserter&) = delete;

  // Of `bytes` kLongKeyBytes can be read.
  void insert(const std::uint8_t* bytes, std::size_t length, std::int32_t id) {
    if (length > kShortKeyBytes) {
      const LongKey key = load_long_key(bytes, length);
      cache_->insert(cache_->long_slot(hash(key)), key, &id, 1);
      return;
    }
    const ShortKey key = load_short_key(bytes, length);
    ChunkCache::ShortSlot* bucket = cache_->short_bucket(hash(key));
    __builtin_prefetch(bucket, 1);
    waiting_[n_waiting_++] = {key, bucket, id};
    if (n_waiting_ == kGroup) flush();
  }

 private:
  static constexpr std::size_t kGroup = 32;
  struct Waiting {
    ShortKey key;
    ChunkCache::ShortSlot* bucket;
    std::int32_t id;
  };

  void flush() {
    for (std::size_t i = 0; i < n_waiting_; ++i)
      cache_->insert(waiting_[i].bucket, waiting_[i].key, &waiting_[i].id, 1);
    n_waiting_ = 0;
  }

  ChunkCache* cache_;
  std::size_t n_waiting_ = 0;
  Waiting waiting_[kGroup];
};

}  // namespace

void remember_first_words(const TokenStrings& tokens, const Alphabet& alphabet,
                          const CharMap& map, ChunkCache* cache) {
  Inserter inserter(cache);
  WordBytes bytes = {};
  for (std::size_t i = tokens.size(); i-- > 0;) {
    const CodePoints token = tokens.token(i);
    if (!is_whole_word(token, alphabet, map)) continue;
    const Text text{token.begin(), token.size(), TextKind::kUcs4};
    const auto length =
        static_cast<std::size_t>(transcode(text, nullptr, bytes) - bytes);
    if (length > kLongKeyBytes) continue;
    if (map.rules().do_lower_case && bytes[0] >= 'a' && bytes[0] <= 'z') {
      bytes[0] ^= kCapitalBit;
      inserter.insert(bytes, length, tokens.id(i));
      bytes[0] ^= kCapitalBit;
    }
    inserter.insert(bytes, length, tokens.id(i));
  }
}

}  // namespace bertfast
