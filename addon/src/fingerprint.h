// A number that tells two pieces of memory apart; not for use against an adversary.
#ifndef ADDON_FINGERPRINT_H_
#define ADDON_FINGERPRINT_H_

#include <cstddef>
#include <cstdint>

class Fingerprint {
 public:
  void Add(const void* bytes, size_t length) {
    const auto* byte = static_cast<const uint8_t*>(bytes);
    for (size_t i = 0; i < length; i++) value_ = (value_ ^ byte[i]) * kPrime;
  }
  void Add(uint64_t number) { Add(&number, sizeof(number)); }

  uint64_t value() const { return value_; }

 private:
  // FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/).
  static constexpr uint64_t kPrime = 0x100000001b3;
  uint64_t value_ = 0xcbf29ce484222325;
};

#endif  // ADDON_FINGERPRINT_H_
