#include "mellea/telemetry/sha256.h"

#include <gtest/gtest.h>

#include <string>

#include "mellea/telemetry/hex.h"

namespace mellea::telemetry {
namespace {

// The examples of the standard.
TEST(Sha256Test, AgreesWithTheStandard) {
  EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex(sha256(std::string(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Where the end of the text, the bit behind it and the length meet the end of a block.
TEST(Sha256Test, AgreesAtTheEndOfABlock) {
  const std::pair<std::size_t, const char*> expected[] = {
      {55, "9f4390f8d30c2dd9"}, {56, "b35439a4ac6f0948"}, {63, "7d3e74a05d7db15b"},
      {64, "ffe054fe7ae0cb6d"}, {65, "635361c48bb9eab1"}, {119, "31eba51c313a5c08"},
      {120, "2f3d335432c70b58"}};
  for (const auto& [size, digits] : expected)
    EXPECT_EQ(fingerprint(std::string(size, 'a')), digits) << size;
}

}  // namespace
}  // namespace mellea::telemetry
