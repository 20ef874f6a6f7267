#include "mellea/runtime/query.h"

#include <gtest/gtest.h>

namespace mellea {
namespace {

TEST(QueryTest, AsksAboutAnObject) {
  const Query query({.object = "CONTENT", .query = "q?"});
  EXPECT_EQ(query.name(), "Query");
  EXPECT_EQ(query.render({}).text,
            "Answer the query about this object.\nObject:\nCONTENT\n\nQuery:\nq?");
  EXPECT_EQ(query.render({.requirements = {"is short"}}).text,
            "Answer the query about this object.\nObject:\nCONTENT\n\nQuery:\nq?\n"
            "Your answer has to meet each of these requirements:\n* is short");
}

TEST(TransformTest, AsksForTheChangedObjectAlone) {
  const Transform transform({.object = "a,b", .transformation = "swap"});
  EXPECT_EQ(transform.name(), "Transform");
  EXPECT_EQ(transform.render({.repair = {"no header"}}).text,
            "Change this object as the transformation says. Answer with the changed object alone, "
            "of the same kind and form.\nObject:\na,b\n\nTransformation:\nswap\n"
            "An earlier answer was not accepted. What was wrong with it:\n* no header");
}

}  // namespace
}  // namespace mellea
