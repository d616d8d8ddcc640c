// The pins of one directory, as JavaScript has them.
#ifndef ADDON_PINS_OBJECT_H_
#define ADDON_PINS_OBJECT_H_

#include <napi.h>

#include <algorithm>
#include <memory>
#include <string>

#include "pins.h"

// With the memory of the journal in it.
class PinsObject : public Napi::ObjectWrap<PinsObject> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Pins",
                       {
                           InstanceAccessor<&PinsObject::Header>("header"),
                           InstanceMethod<&PinsObject::Read>("readJournal"),
                           InstanceMethod<&PinsObject::Write>("writeJournal"),
                           InstanceMethod<&PinsObject::Switch>("switchJournal"),
                           InstanceMethod<&PinsObject::EndCounting>("endCounting"),
                           InstanceMethod<&PinsObject::ReadArray>("readArray"),
                           InstanceMethod<&PinsObject::Clear>("clear"),
                           InstanceMethod<&PinsObject::Unload>("unload"),
                           InstanceMethod<&PinsObject::Close>("close"),
                       });
  }

  explicit PinsObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PinsObject>(info) {
    const std::string path = ToText(info[0], "path");
    Guard(info.Env(), [&] {
      pins_ = std::make_shared<Pins>(path);
      return info.Env().Undefined();
    });
  }

  const std::shared_ptr<Pins>& Opened(Napi::Env env) const {
    if (!pins_) throw Napi::Error::New(env, "the pins are closed");
    return pins_;
  }

 private:
  Napi::Value Header(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const JournalHeader& header = Opened(env)->journal().header();
    Napi::Object object = Napi::Object::New(env);
    object.Set("complete", header.complete != 0);
    object.Set("layout", Napi::BigInt::New(env, header.layout));
    object.Set("build", Napi::BigInt::New(env, header.build));
    object.Set("incarnation", Napi::BigInt::New(env, header.incarnation));
    object.Set("sequence", Napi::BigInt::New(env, header.sequence));
    return object;
  }

  // Memory of `length` bytes from `offset` on of an area.
  uint8_t* Part(const Napi::CallbackInfo& info, size_t length) {
    const uint32_t area = ToUint32(info[0], 1, "area");
    const uint32_t offset = ToUint32(info[1], JournalMap::kAreaBytes, "offset");
    if (length > JournalMap::kAreaBytes - offset)
      throw Napi::RangeError::New(info.Env(), "more bytes than the area has");
    return Opened(info.Env())->journal().Area(area) + offset;
  }

  Napi::Value Read(const Napi::CallbackInfo& info) {
    const uint32_t length = ToUint32(info[2], JournalMap::kAreaBytes, "length");
    return Napi::Buffer<uint8_t>::Copy(info.Env(), Part(info, length), length);
  }

  Napi::Value Write(const Napi::CallbackInfo& info) {
    if (!info[2].IsTypedArray() ||
        info[2].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
      throw Napi::TypeError::New(info.Env(), "bytes must be a Uint8Array");
    const auto bytes = info[2].As<Napi::Uint8Array>();
    std::copy_n(bytes.Data(), bytes.ElementLength(), Part(info, bytes.ElementLength()));
    return info.Env().Undefined();
  }

  Napi::Value Switch(const Napi::CallbackInfo& info) {
    Opened(info.Env())->journal().Switch(ToUint64(info[0], "sequence"));
    return info.Env().Undefined();
  }

  Napi::Value EndCounting(const Napi::CallbackInfo& info) {
    return Do(info, [&](Pins& pins) { pins.EndCounting(); });
  }
  Napi::Value Clear(const Napi::CallbackInfo& info) {
    return Do(info, [&](Pins& pins) { pins.Clear(); });
  }
  Napi::Value Unload(const Napi::CallbackInfo& info) {
    return Do(info, [&](Pins& pins) { pins.Unload(); });
  }

  template <typename Use>
  Napi::Value Do(const Napi::CallbackInfo& info, Use use) {
    Opened(info.Env());
    return Guard(info.Env(), [&] {
      use(*pins_);
      return info.Env().Undefined();
    });
  }

  Napi::Value ReadArray(const Napi::CallbackInfo& info) {
    const std::string name = ToText(info[0], "map");
    const std::shared_ptr<Pins>& pins = Opened(info.Env());
    return Guard(info.Env(), [&] {
      const std::vector<uint8_t> bytes = pins->ReadArray(name);
      return Napi::Value(Napi::Buffer<uint8_t>::Copy(info.Env(), bytes.data(), bytes.size()));
    });
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    pins_.reset();
    return info.Env().Undefined();
  }

  std::shared_ptr<Pins> pins_;
};

#endif  // ADDON_PINS_OBJECT_H_
