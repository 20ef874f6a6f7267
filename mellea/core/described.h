// Structs that a model fills in: their JSON schema, and values read from what it wrote.
//
//   struct Step { std::string text; int minutes = 0; };
//   MELLEA_DESCRIBE(Step, text, minutes)
//   struct Recipe { std::string title; std::vector<Step> steps; std::optional<std::string> note; };
//   MELLEA_DESCRIBE_WITH(Recipe, (title, "as on a menu"), (steps, "in their order"), (note, ""))
//
//   const Recipe recipe = read_described<Recipe>(answer);  // or an Error that says what is wrong
//
// Members may be bool, numbers, std::string, described enums and structs, std::optional (may be
// null or missing), std::vector, std::array, std::set, std::map and std::unordered_map by
// std::string, std::variant, nlohmann::json. A member whose struct gives it a default other than
// zero or empty may be missing too. Include this where such types are used; no other header of the
// library does.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "mellea/core/error.h"
#include "mellea/core/json.h"
#include "mellea/core/message.h"
#include "mellea/core/schema.h"

namespace mellea {

// What MELLEA_DESCRIBE says of a member, and MELLEA_DESCRIBE_ENUM of a value.
template <class T, class Member>
struct DescribedMember {
  std::string_view name;
  Member T::*member;
  std::string_view text;  // for the model; may be empty
};
template <class T, class Member>  // clang 14 does not find it
DescribedMember(std::string_view, Member T::*, std::string_view)->DescribedMember<T, Member>;
template <class Enum>
struct DescribedValue {
  std::string_view name;
  Enum value;
};

// A struct or an enum with a description, found by argument-dependent lookup.
template <class T>
concept DescribedStruct = std::is_class_v<T> && requires(const T* type) {
  mellea_members(type);
};
template <class T>
concept DescribedEnum = std::is_enum_v<T> && requires(const T* type) {
  mellea_values(type);
};

namespace described {

// Shapes of types, by what they are in JSON.
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVariant : std::false_type {};
template <class... Ts>
struct IsVariant<std::variant<Ts...>> : std::true_type {};
template <class T>
struct IsArray : std::false_type {};
template <class T, std::size_t n>
struct IsArray<std::array<T, n>> : std::true_type {};

template <class T>
concept Map = requires {
  typename T::mapped_type;
}
&&std::same_as<typename T::key_type, std::string>;
template <class T>
concept Set = requires {
  typename T::key_type;
}
&&!requires { typename T::mapped_type; };
template <class T>
concept List = requires(T list) {
  typename T::value_type;
  list.push_back(std::declval<typename T::value_type>());
}
&&!std::same_as<T, std::string> && !std::same_as<T, nlohmann::json>;
template <class T>
concept Integer = std::integral<T> && !std::same_as<T, bool>;

// Writes the schema of a type. A struct that contains itself goes to "$defs" and is referred to.
class SchemaWriter {
 public:
  template <class T>
  nlohmann::json whole() {
    nlohmann::json schema = of<T>();
    if (!definitions_.empty()) schema["$defs"] = definitions_;
    return schema;
  }

 private:
  template <class T>
  nlohmann::json of() {
    using nlohmann::json;
    if constexpr (std::same_as<T, nlohmann::json>) {
      return json::object();
    } else if constexpr (std::same_as<T, bool>) {
      return {{"type", "boolean"}};
    } else if constexpr (Integer<T>) {
      json schema = {{"type", "integer"}};
      // The limits of wide ones would be noise to the model; reading checks them.
      if constexpr (std::is_unsigned_v<T> || sizeof(T) < 4)
        schema["minimum"] = std::numeric_limits<T>::min();
      if constexpr (sizeof(T) < 4) schema["maximum"] = std::numeric_limits<T>::max();
      return schema;
    } else if constexpr (std::floating_point<T>) {
      return {{"type", "number"}};
    } else if constexpr (std::same_as<T, std::string>) {
      return {{"type", "string"}};
    } else if constexpr (DescribedEnum<T>) {
      json names = json::array();
      for (const auto& value : mellea_values(static_cast<const T*>(nullptr)))
        names.push_back(value.name);
      return {{"type", "string"}, {"enum", std::move(names)}};
    } else if constexpr (IsOptional<T>::value) {
      return nullable(of<typename T::value_type>());
    } else if constexpr (IsVariant<T>::value) {
      return any_of(static_cast<const T*>(nullptr));
    } else if constexpr (IsArray<T>::value) {
      const std::size_t size = std::tuple_size_v<T>;
      return {{"type", "array"},
              {"items", of<typename T::value_type>()},
              {"minItems", size},
              {"maxItems", size}};
    } else if constexpr (Map<T>) {
      return {{"type", "object"}, {"additionalProperties", of<typename T::mapped_type>()}};
    } else if constexpr (Set<T>) {
      return {{"type", "array"}, {"items", of<typename T::key_type>()}, {"uniqueItems", true}};
    } else if constexpr (List<T>) {
      return {{"type", "array"}, {"items", of<typename T::value_type>()}};
    } else {
      static_assert(DescribedStruct<T>, "describe this type: MELLEA_DESCRIBE(Type, members...)");
      return of_struct<T>();
    }
  }

  template <class... Ts>
  nlohmann::json any_of(const std::variant<Ts...>*) {
    return {{"anyOf", nlohmann::json::array({of<Ts>()...})}};
  }

  static nlohmann::json nullable(nlohmann::json schema);

  template <class T>
  nlohmann::json of_struct() {
    const std::string name = name_for(&kIdentity<T>, mellea_name(static_cast<const T*>(nullptr)));
    const nlohmann::json reference = {{"$ref", "#/$defs/" + name}};
    if (const auto open = open_.find(name); open != open_.end()) {
      open->second = true;
      return reference;
    }
    if (definitions_.contains(name)) return reference;
    open_[name] = false;
    nlohmann::json schema = members<T>();
    const bool contains_itself = open_[name];
    open_.erase(name);
    if (!contains_itself) return schema;
    definitions_[name] = std::move(schema);
    return reference;
  }

  // Something of each type that has an address of its own.
  template <class T>
  static constexpr char kIdentity = 0;

  // Types of several namespaces may have one name: "Item", "Item_2".
  std::string name_for(const void* type, std::string_view described);

  template <class T>
  nlohmann::json members() {
    nlohmann::json properties = nlohmann::json::object();
    nlohmann::json required = nlohmann::json::array();
    std::apply([&](const auto&... all) { (member<T>(all, properties, required), ...); },
               mellea_members(static_cast<const T*>(nullptr)));
    return {{"type", "object"},
            {"properties", std::move(properties)},
            {"required", std::move(required)},
            {"additionalProperties", false}};
  }

  template <class T, class Member>
  void member(const DescribedMember<T, Member>& one, nlohmann::json& properties,
              nlohmann::json& required);

  std::vector<std::pair<const void*, std::string>> names_{};  // as name_for() gave them out
  std::map<std::string, bool> open_{};  // those being written, and whether they contain themselves
  nlohmann::json definitions_ = nlohmann::json::object();
};

// Reads values that their schema allows.
class Reader {
 public:
  template <class T>
  static void read(const nlohmann::json& from, T& to) {
    if constexpr (std::same_as<T, nlohmann::json>) {
      to = from;
    } else if constexpr (std::same_as<T, bool> || std::same_as<T, std::string>) {
      to = from.get<T>();
    } else if constexpr (Integer<T>) {
      to = integer<T>(from);
    } else if constexpr (std::floating_point<T>) {
      to = from.get<T>();
    } else if constexpr (DescribedEnum<T>) {
      for (const auto& value : mellea_values(static_cast<const T*>(nullptr)))
        if (from == value.name) to = value.value;
    } else if constexpr (IsOptional<T>::value) {
      if (from.is_null())
        to.reset();
      else
        read(from, to.emplace());
    } else if constexpr (IsVariant<T>::value) {
      alternative(from, to);
    } else if constexpr (IsArray<T>::value) {
      for (std::size_t i = 0; i < to.size(); ++i) read(from.at(i), to[i]);
    } else if constexpr (Map<T>) {
      to.clear();
      for (const auto& [name, value] : from.items()) read(value, to[name]);
    } else if constexpr (Set<T>) {
      to.clear();
      for (const nlohmann::json& value : from) {
        typename T::key_type one{};
        read(value, one);
        to.insert(std::move(one));
      }
    } else if constexpr (List<T>) {
      to.clear();
      for (const nlohmann::json& value : from) {
        typename T::value_type one{};
        read(value, one);
        to.push_back(std::move(one));
      }
    } else {
      std::apply([&](const auto&... all) { (member(from, to, all), ...); },
                 mellea_members(static_cast<const T*>(nullptr)));
    }
  }

 private:
  template <class T, class Member>
  static void member(const nlohmann::json& from, T& to, const DescribedMember<T, Member>& one) {
    if (const auto found = from.find(one.name); found != from.end()) read(*found, to.*one.member);
  }

  // The first alternative whose schema allows it.
  template <class... Ts>
  static void alternative(const nlohmann::json& from, std::variant<Ts...>& to);

  template <class T>
  static bool fits(const nlohmann::json& from) {
    if (from.is_number_unsigned()) return std::in_range<T>(from.get<std::uint64_t>());
    if (from.is_number_integer()) return std::in_range<T>(from.get<std::int64_t>());
    return fits_exactly<T>(from.get<double>());
  }

  template <class T>
  static T integer(const nlohmann::json& from) {
    if (!fits<T>(from)) refuse_integer(from);
    return from.is_number_float() ? static_cast<T>(from.get<double>()) : from.get<T>();
  }

  template <class T>
  static bool fits_exactly(double number) {
    return number >= static_cast<double>(std::numeric_limits<T>::min()) && number < 0x1p63 &&
           number <= static_cast<double>(std::numeric_limits<T>::max());
  }

  [[noreturn]] static void refuse_integer(const nlohmann::json& from);
};

// Writes a value as JSON.
template <class T>
nlohmann::json written(const T& value) {
  using nlohmann::json;
  if constexpr (std::same_as<T, json> || std::same_as<T, bool> || std::same_as<T, std::string> ||
                Integer<T> || std::floating_point<T>) {
    return json(value);
  } else if constexpr (DescribedEnum<T>) {
    for (const auto& one : mellea_values(static_cast<const T*>(nullptr)))
      if (one.value == value) return json(one.name);
    return json(nullptr);
  } else if constexpr (IsOptional<T>::value) {
    return value ? written(*value) : json(nullptr);
  } else if constexpr (IsVariant<T>::value) {
    return std::visit([](const auto& held) { return written(held); }, value);
  } else if constexpr (Map<T>) {
    json object = json::object();
    for (const auto& [name, one] : value) object[name] = written(one);
    return object;
  } else if constexpr (DescribedStruct<T>) {
    json object = json::object();
    std::apply(
        [&](const auto&... all) {
          ((object[std::string(all.name)] = written(value.*all.member)), ...);
        },
        mellea_members(static_cast<const T*>(nullptr)));
    return object;
  } else {
    json array = json::array();
    for (const auto& one : value) array.push_back(written(one));
    return array;
  }
}

// The default that the struct itself gives to a member, if that is more than zero or empty.
template <class T, class Member>
std::optional<nlohmann::json> default_of(const DescribedMember<T, Member>& one) {
  if constexpr (std::default_initializable<T> && std::default_initializable<Member>) {
    const T made{};
    nlohmann::json given = written(made.*one.member);
    if (given != written(Member{})) return given;
  }
  return {};
}

template <class T, class Member>
void SchemaWriter::member(const DescribedMember<T, Member>& one, nlohmann::json& properties,
                          nlohmann::json& required) {
  const std::string name(one.name);
  nlohmann::json schema = of<Member>();
  if (!one.text.empty()) schema["description"] = one.text;
  std::optional<nlohmann::json> given = default_of(one);
  if (given)
    schema["default"] = std::move(*given);
  else if (!IsOptional<Member>::value)
    required.push_back(name);
  properties[name] = std::move(schema);
}

}  // namespace described

// The schema of T.
template <class T>
Json schema_of() {
  return Json(described::SchemaWriter().whole<T>());
}

// `described` as a provider takes it: letters, digits, '_' and '-'; "Outer__Inner".
std::string plain_name(std::string_view described);

// For CallOptions::format: the model is to answer with a T.
template <DescribedStruct T>
Format format_of() {
  return {.name = plain_name(mellea_name(static_cast<const T*>(nullptr))),
          .schema = schema_of<T>()};
}

template <class T>
Json to_json(const T& value) {
  return Json(described::written(value));
}

// `text` as JSON. Models like to put it into a fence of three backquotes: that is taken off. Throws
// Error (Errc::parse_error).
nlohmann::json read_answer(std::string_view text);
// Throws Error (Errc::parse_error) that names what `schema` does not allow.
void check_answer(const nlohmann::json& answer, const Schema& schema, std::string_view name);

// What a model wrote, as a T. Throws Error (Errc::parse_error) with the path of each thing wrong.
template <DescribedStruct T>
T read_described(std::string_view text) {
  static const Schema schema(schema_of<T>());
  const nlohmann::json answer = read_answer(text);
  check_answer(answer, schema, mellea_name(static_cast<const T*>(nullptr)));
  T value{};
  described::Reader::read(answer, value);
  return value;
}

template <class... Ts>
void described::Reader::alternative(const nlohmann::json& from, std::variant<Ts...>& to) {
  bool found = false;
  const auto try_one = [&]<class T>(std::type_identity<T>) {
    static const Schema schema(schema_of<T>());
    if (found || !schema.allows(from)) return;
    if constexpr (Integer<T>)
      if (!fits<T>(from)) return;
    found = true;
    T value{};
    read(from, value);
    to = std::move(value);
  };
  (try_one(std::type_identity<Ts>()), ...);
}

}  // namespace mellea

// MELLEA_DESCRIBE(Type, member, ...), in the namespace of Type, at most 256 members.
#define MELLEA_DESCRIBE(Type, ...)                                        \
  constexpr auto mellea_members(const Type*) {                            \
    return std::tuple{MELLEA_FOR_EACH(MELLEA_MEMBER, Type, __VA_ARGS__)}; \
  }                                                                       \
  constexpr std::string_view mellea_name(const Type*) { return #Type; }

// MELLEA_DESCRIBE_WITH(Type, (member, "what it is"), ...): the texts are told to the model.
#define MELLEA_DESCRIBE_WITH(Type, ...)                                        \
  constexpr auto mellea_members(const Type*) {                                 \
    return std::tuple{MELLEA_FOR_EACH(MELLEA_MEMBER_WITH, Type, __VA_ARGS__)}; \
  }                                                                            \
  constexpr std::string_view mellea_name(const Type*) { return #Type; }

// MELLEA_DESCRIBE_ENUM(Type, value, ...), of an enum class.
#define MELLEA_DESCRIBE_ENUM(Type, ...)                                  \
  constexpr auto mellea_values(const Type*) {                            \
    return std::array{MELLEA_FOR_EACH(MELLEA_VALUE, Type, __VA_ARGS__)}; \
  }

#define MELLEA_MEMBER(Type, name) \
  mellea::DescribedMember { #name, &Type::name, "" }
#define MELLEA_MEMBER_WITH(Type, pair) MELLEA_MEMBER_TEXT(Type, MELLEA_UNPACK pair)
#define MELLEA_MEMBER_TEXT(...) MELLEA_MEMBER_TEXT_OF(__VA_ARGS__)
#define MELLEA_MEMBER_TEXT_OF(Type, name, text) \
  mellea::DescribedMember { #name, &Type::name, text }
#define MELLEA_VALUE(Type, name) \
  mellea::DescribedValue<Type> { #name, Type::name }
#define MELLEA_UNPACK(...) __VA_ARGS__

// macro(first, x), for each x of the rest, with commas between.
#define MELLEA_FOR_EACH(macro, first, ...) \
  __VA_OPT__(MELLEA_EXPAND(MELLEA_EACH(macro, first, __VA_ARGS__)))
#define MELLEA_EACH(macro, first, one, ...) \
  macro(first, one) __VA_OPT__(, MELLEA_EACH_AGAIN MELLEA_PARENTHESES(macro, first, __VA_ARGS__))
#define MELLEA_EACH_AGAIN() MELLEA_EACH
#define MELLEA_PARENTHESES ()
#define MELLEA_EXPAND(...) \
  MELLEA_EXPAND_4(MELLEA_EXPAND_4(MELLEA_EXPAND_4(MELLEA_EXPAND_4(__VA_ARGS__))))
#define MELLEA_EXPAND_4(...) \
  MELLEA_EXPAND_3(MELLEA_EXPAND_3(MELLEA_EXPAND_3(MELLEA_EXPAND_3(__VA_ARGS__))))
#define MELLEA_EXPAND_3(...) \
  MELLEA_EXPAND_2(MELLEA_EXPAND_2(MELLEA_EXPAND_2(MELLEA_EXPAND_2(__VA_ARGS__))))
#define MELLEA_EXPAND_2(...) \
  MELLEA_EXPAND_1(MELLEA_EXPAND_1(MELLEA_EXPAND_1(MELLEA_EXPAND_1(__VA_ARGS__))))
#define MELLEA_EXPAND_1(...) __VA_ARGS__
