#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Module.h>

#include "worker/core/base/elementary_formulas.h"
#include "worker/jit/kernel.h"

// Numbers, bit patterns and truth values of a block's lanes as LLVM values:
// what arithmetic on them does is to append instructions. No instruction
// carries a fast-math flag, so that each means just what it says.
namespace somafit::jit {

struct Emission {
  llvm::IRBuilder<>& builder;
  Isa isa;
  int width;

  llvm::Type* number() const {
    return llvm::FixedVectorType::get(builder.getDoubleTy(),
                                      static_cast<unsigned>(width));
  }
  llvm::Type* word() const {
    return llvm::FixedVectorType::get(builder.getInt64Ty(),
                                      static_cast<unsigned>(width));
  }
};

struct Lanes {
  const Emission* in;
  llvm::Value* value;
};
struct LaneWords {
  const Emission* in;
  llvm::Value* value;
};
struct LaneTruth {
  const Emission* in;
  llvm::Value* value;
};

inline Lanes Constant(const Emission& in, double constant) {
  return {&in, llvm::ConstantFP::get(in.number(), constant)};
}
inline Lanes Splat(const Emission& in, llvm::Value* scalar) {
  return {&in, in.builder.CreateVectorSplat(static_cast<unsigned>(in.width),
                                            scalar)};
}

inline Lanes operator+(const Lanes& a, const Lanes& b) {
  return {a.in, a.in->builder.CreateFAdd(a.value, b.value)};
}
inline Lanes operator-(const Lanes& a, const Lanes& b) {
  return {a.in, a.in->builder.CreateFSub(a.value, b.value)};
}
inline Lanes operator*(const Lanes& a, const Lanes& b) {
  return {a.in, a.in->builder.CreateFMul(a.value, b.value)};
}
inline Lanes operator/(const Lanes& a, const Lanes& b) {
  return {a.in, a.in->builder.CreateFDiv(a.value, b.value)};
}
inline Lanes operator-(const Lanes& a) {
  return {a.in, a.in->builder.CreateFNeg(a.value)};
}
inline LaneTruth operator<(const Lanes& a, const Lanes& b) {
  return {a.in, a.in->builder.CreateFCmpOLT(a.value, b.value)};
}
inline LaneTruth operator>(const Lanes& a, const Lanes& b) { return b < a; }

inline LaneWords operator+(const LaneWords& a, const LaneWords& b) {
  return {a.in, a.in->builder.CreateAdd(a.value, b.value)};
}
inline LaneWords operator-(const LaneWords& a, const LaneWords& b) {
  return {a.in, a.in->builder.CreateSub(a.value, b.value)};
}
inline LaneWords operator>>(const LaneWords& a, int bits) {
  return {a.in, a.in->builder.CreateLShr(a.value, static_cast<uint64_t>(bits))};
}
inline LaneWords operator<<(const LaneWords& a, int bits) {
  return {a.in, a.in->builder.CreateShl(a.value, static_cast<uint64_t>(bits))};
}

inline Lanes Intrinsic(llvm::Intrinsic::ID id, const Lanes& a) {
  return {a.in, a.in->builder.CreateUnaryIntrinsic(id, a.value)};
}

inline Lanes Like(const Lanes& like, double constant) {
  return Constant(*like.in, constant);
}
inline Lanes Fma(const Lanes& a, const Lanes& b, const Lanes& c) {
  return {a.in,
          a.in->builder.CreateIntrinsic(llvm::Intrinsic::fma, {a.in->number()},
                                        {a.value, b.value, c.value})};
}
inline Lanes Floor(const Lanes& a) {
  return Intrinsic(llvm::Intrinsic::floor, a);
}
inline Lanes Abs(const Lanes& a) { return Intrinsic(llvm::Intrinsic::fabs, a); }
inline Lanes CopySign(const Lanes& size, const Lanes& sign) {
  return {size.in, size.in->builder.CreateBinaryIntrinsic(
                       llvm::Intrinsic::copysign, size.value, sign.value)};
}
inline Lanes Select(const LaneTruth& condition, const Lanes& a,
                    const Lanes& b) {
  return {a.in, a.in->builder.CreateSelect(condition.value, a.value, b.value)};
}
inline LaneWords Bits(const Lanes& a) {
  return {a.in, a.in->builder.CreateBitCast(a.value, a.in->word())};
}
inline Lanes FromBits(const LaneWords& a) {
  return {a.in, a.in->builder.CreateBitCast(a.value, a.in->number())};
}
inline LaneWords Word(const LaneWords& like, uint64_t constant) {
  return {like.in, llvm::ConstantInt::get(like.in->word(), constant)};
}

// AVX-512 has it as one instruction, with the same single rounding.
Lanes ScaleByPower(const Lanes& q, const Lanes& t);

inline LaneTruth operator&(const LaneTruth& a, const LaneTruth& b) {
  return {a.in, a.in->builder.CreateAnd(a.value, b.value)};
}

// Code that runs unless `all` lanes are true: from here to where it ends.
class UnlessAll {
 public:
  explicit UnlessAll(const LaneTruth& all);
  // `otherwise` where the code ran, `usual` where it did not. Ends it.
  std::vector<llvm::Value*> End(const std::vector<llvm::Value*>& usual,
                                const std::vector<llvm::Value*>& otherwise);

 private:
  llvm::IRBuilder<>& builder_;
  llvm::BasicBlock* before_;
  llvm::BasicBlock* after_;
};

// Where elementary::ExprelNear is exprel.
LaneTruth IsNear(const Lanes& x);
// exprel(x), given ExprelNear(x) and IsNear(x). Most simulations stay near in
// all lanes: then there is nothing more to compute.
Lanes ExprelOf(const Lanes& x, const Lanes& near, const LaneTruth& is_near);
inline Lanes ExprelOf(const Lanes& x) {
  return ExprelOf(x, elementary::ExprelNear(x), IsNear(x));
}
// exprel of each of `xs`, given ExprelNear of each: in a loop, since code that
// is emitted once is compiled sooner. REQUIRES: as many of both, 1 to 64.
std::vector<Lanes> ExprelsOf(const std::vector<Lanes>& xs,
                             const std::vector<Lanes>& near);

// A function of SLEEF's, "sin" or with two operands "pow".
Lanes CallLibrary(const std::string& name, const Lanes& a,
                  const Lanes* b = nullptr);
// Poisson numbers (base/noise.h), lane by lane.
Lanes CallPoisson(const Lanes& mean, const Lanes& uniform);

}  // namespace somafit::jit
