#include "pd/meta/lessor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tikv::pd::meta {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;

MonotonicTime At(double s) { return {static_cast<int64_t>(s * 1e9) + 1}; }

class LessorTest : public testing::Test {
 protected:
  LessorTest() { lessor_.Promote({}, At(0), seconds(0)); }
  Lessor lessor_;
};

TEST_F(LessorTest, ExpiresOnceItsTimeIsUp) {
  lessor_.Grant(7, 5, At(0));
  lessor_.Grant(8, 6, At(0));
  EXPECT_THAT(lessor_.TakeExpired(At(4.9), 10), IsEmpty());
  EXPECT_THAT(lessor_.TakeExpired(At(5), 10), ElementsAre(7));
  EXPECT_THAT(lessor_.TakeExpired(At(5.5), 10), IsEmpty()) << "named once";
  EXPECT_EQ(lessor_.Renew(7, At(5.5)), std::nullopt) << "too late to renew";
  lessor_.Remove(7);
  EXPECT_THAT(lessor_.TakeExpired(At(60), 10), ElementsAre(8));
}

TEST_F(LessorTest, RenewMovesTheEnd) {
  lessor_.Grant(7, 5, At(0));
  EXPECT_THAT(lessor_.Renew(7, At(4)), Optional(5));
  EXPECT_THAT(lessor_.Remaining(7, At(6)), Optional(3));
  EXPECT_THAT(lessor_.TakeExpired(At(8.9), 10), IsEmpty());
  EXPECT_THAT(lessor_.TakeExpired(At(9), 10), ElementsAre(7));
}

TEST_F(LessorTest, ARevocationThatGotLostIsTriedAgain) {
  lessor_.Grant(7, 1, At(0));
  EXPECT_THAT(lessor_.TakeExpired(At(1), 10), ElementsAre(7));
  EXPECT_THAT(lessor_.TakeExpired(At(4.1), 10), ElementsAre(7));
}

TEST_F(LessorTest, ANewLeaderStartsEveryLeaseAnew) {
  lessor_.Demote();
  lessor_.Grant(7, 5, At(0));
  EXPECT_EQ(lessor_.Remaining(7, At(0)), std::nullopt) << "only the leader keeps time";
  lessor_.Promote({{7, 5}}, At(100), seconds(1));
  EXPECT_THAT(lessor_.TakeExpired(At(105.9), 10), IsEmpty());
  EXPECT_THAT(lessor_.TakeExpired(At(106), 10), ElementsAre(7));
}

TEST_F(LessorTest, AnAbsurdTtlDoesNotOverflow) {
  lessor_.Grant(7, INT64_MAX, At(1));
  EXPECT_THAT(lessor_.TakeExpired(At(1e9), 10), IsEmpty());
}

TEST_F(LessorTest, TakesNoMoreThanAsked) {
  for (int i = 1; i <= 5; ++i) lessor_.Grant(i, 1, At(0));
  EXPECT_EQ(lessor_.TakeExpired(At(2), 3).size(), 3u);
  EXPECT_EQ(lessor_.TakeExpired(At(2), 3).size(), 2u);
}

}  // namespace
}  // namespace tikv::pd::meta
