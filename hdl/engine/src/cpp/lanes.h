// Values of one run (u8 .. u128) and of LANES runs side by side (b8 .. b128), and what is computed
// of them. A value of w bits lies in the smallest type that holds it; bits above w are zero.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef unsigned __int128 u128;
typedef u8 b8 __attribute__((vector_size(LANES)));
typedef u16 b16 __attribute__((vector_size(2 * LANES)));
typedef u32 b32 __attribute__((vector_size(4 * LANES)));
typedef u64 b64 __attribute__((vector_size(8 * LANES)));
typedef int8_t i8 __attribute__((vector_size(LANES)));
typedef int16_t i16 __attribute__((vector_size(2 * LANES)));
typedef int32_t i32 __attribute__((vector_size(4 * LANES)));
typedef int64_t i64 __attribute__((vector_size(8 * LANES)));
struct b128 {
    u128 v[LANES];
    u128& operator[](int k) { return v[k]; }
    u128 operator[](int k) const { return v[k]; }
};

#define INLINE static inline __attribute__((always_inline))

// Elements, and the signed type of the same form.
template <class T> struct Of { typedef T E; typedef T S; enum { bits = 8 * sizeof(T), lanes = 0 }; };
template <> struct Of<u8> { typedef u8 E; typedef int8_t S; enum { bits = 8, lanes = 0 }; };
template <> struct Of<u16> { typedef u16 E; typedef int16_t S; enum { bits = 16, lanes = 0 }; };
template <> struct Of<u32> { typedef u32 E; typedef int32_t S; enum { bits = 32, lanes = 0 }; };
template <> struct Of<u64> { typedef u64 E; typedef int64_t S; enum { bits = 64, lanes = 0 }; };
template <> struct Of<u128> { typedef u128 E; typedef __int128 S; enum { bits = 128, lanes = 0 }; };
template <> struct Of<b8> { typedef u8 E; typedef i8 S; enum { bits = 8, lanes = 1 }; };
template <> struct Of<b16> { typedef u16 E; typedef i16 S; enum { bits = 16, lanes = 1 }; };
template <> struct Of<b32> { typedef u32 E; typedef i32 S; enum { bits = 32, lanes = 1 }; };
template <> struct Of<b64> { typedef u64 E; typedef i64 S; enum { bits = 64, lanes = 1 }; };
template <> struct Of<b128> { typedef u128 E; typedef b128 S; enum { bits = 128, lanes = 1 }; };
template <class T> constexpr bool wide = std::is_same<T, b128>::value;

#define EACH for (int k = 0; k < LANES; k++)
#define WIDE(op) \
    INLINE b128 operator op(const b128& a, const b128& b) { b128 r; EACH r.v[k] = a.v[k] op b.v[k]; return r; }
WIDE(+) WIDE(-) WIDE(&) WIDE(|) WIDE(^)
INLINE b128 operator~(const b128& a) { b128 r; EACH r.v[k] = ~a.v[k]; return r; }
INLINE b128 operator-(const b128& a) { b128 r; EACH r.v[k] = -a.v[k]; return r; }

// The same in all lanes.
template <class T> INLINE T all(typename Of<T>::E x) {
    T r;
    if constexpr (wide<T>) { EACH r.v[k] = x; } else { r = T{} + x; }
    return r;
}

// Elements of half and twice the size, for compilers convert well by steps of two only.
template <class V> struct Step;
template <> struct Step<b8> { typedef b16 up; };
template <> struct Step<b16> { typedef b32 up; typedef b8 down; };
template <> struct Step<b32> { typedef b64 up; typedef b16 down; };
template <> struct Step<b64> { typedef b32 down; };
template <> struct Step<i8> { typedef i16 up; };
template <> struct Step<i16> { typedef i32 up; typedef i8 down; };
template <> struct Step<i32> { typedef i64 up; typedef i16 down; };
template <> struct Step<i64> { typedef i32 down; };
template <class T, class F> INLINE T converted(const F& x) {
    if constexpr (sizeof(T) == sizeof(F)) return (T)x;
    else if constexpr (sizeof(T) > sizeof(F)) return converted<T>(__builtin_convertvector(x, typename Step<F>::up));
    else return converted<T>(__builtin_convertvector(x, typename Step<F>::down));
}

// In another type, with zeros or without what is too much.
template <class T, class F> INLINE T to(const F& x) {
    if constexpr (std::is_same<T, F>::value) return x;
    else if constexpr (!Of<F>::lanes) return (T)x;
    else if constexpr (wide<T>) { b128 r; EACH r.v[k] = x[k]; return r; }
    else if constexpr (wide<F>) { T r; EACH r[k] = (typename Of<T>::E)x.v[k]; return r; }
    else return converted<T>(x);
}

// The low W bits.
template <int W, class T> INLINE T low(const T& x) {
    if constexpr (W >= Of<T>::bits) return x;
    else if constexpr (Of<T>::lanes) return x & all<T>((typename Of<T>::E)(((typename Of<T>::E)1 << W) - 1));
    else return (T)(x & (T)(((u128)1 << W) - 1));
}

template <class T, class N> INLINE T shl(const T& x, const N& n) {
    if constexpr (!Of<T>::lanes) return (u32)n >= Of<T>::bits ? (T)0 : (T)(x << n);
    else if constexpr (wide<T>) {
        b128 r;
        if constexpr (Of<N>::lanes) { EACH r.v[k] = n[k] >= 128 ? (u128)0 : x.v[k] << (int)n[k]; }
        else { EACH r.v[k] = (u32)n >= 128 ? (u128)0 : x.v[k] << n; }
        return r;
    } else if constexpr (!Of<N>::lanes) return (u32)n >= Of<T>::bits ? T{} : (T)(x << (typename Of<T>::E)n);
    else { T r; EACH r[k] = (u64)n[k] >= Of<T>::bits ? 0 : x[k] << n[k]; return r; }
}
template <class T, class N> INLINE T shr(const T& x, const N& n) {
    if constexpr (!Of<T>::lanes) return (u32)n >= Of<T>::bits ? (T)0 : (T)(x >> n);
    else if constexpr (wide<T>) {
        b128 r;
        if constexpr (Of<N>::lanes) { EACH r.v[k] = n[k] >= 128 ? (u128)0 : x.v[k] >> (int)n[k]; }
        else { EACH r.v[k] = (u32)n >= 128 ? (u128)0 : x.v[k] >> n; }
        return r;
    } else if constexpr (!Of<N>::lanes) return (u32)n >= Of<T>::bits ? T{} : (T)(x >> (typename Of<T>::E)n);
    else { T r; EACH r[k] = (u64)n[k] >= Of<T>::bits ? 0 : x[k] >> n[k]; return r; }
}

// A signed number of W bits, in the bits of another type.
template <int W, class T, class F> INLINE T sext(const F& x) {
    if constexpr (wide<F>) {
        T r;
        EACH r[k] = (typename Of<T>::E)((__int128)(x.v[k] << (128 - W)) >> (128 - W));
        return r;
    } else {
        constexpr int up = Of<F>::bits - W;
        typedef typename Of<F>::S SF;
        SF y;
        if constexpr (up == 0) y = (SF)x;
        else if constexpr (Of<F>::lanes) y = (SF)((SF)(x << up) >> up);
        else y = (SF)((SF)(F)(x << up) >> up);
        if constexpr (!Of<F>::lanes) return (T)(typename Of<T>::S)y;
        else if constexpr (wide<T>) { b128 r; EACH r.v[k] = (u128)(__int128)y[k]; return r; }
        else return (T)converted<typename Of<T>::S>(y);
    }
}

template <class T> INLINE T mul(const T& a, const T& b) {
    if constexpr (wide<T>) { b128 r; EACH r.v[k] = a.v[k] * b.v[k]; return r; }
    else if constexpr (Of<T>::lanes || Of<T>::bits >= 64) return a * b;
    else return (T)((u64)a * b);
}

// Comparisons: 0 or 1.
template <class M> INLINE b8 bit(const M& m) { return (b8)converted<i8>(m) & (u8)1; }
#define COMPARE(name, op) \
    template <class T> INLINE auto name(const T& a, const T& b) { \
        if constexpr (wide<T>) { b8 r; EACH r[k] = a.v[k] op b.v[k]; return r; } \
        else if constexpr (Of<T>::lanes) return bit(a op b); \
        else return (u8)(a op b); \
    } \
    template <int W, class T> INLINE auto s##name(const T& a, const T& b) { \
        typedef typename Of<T>::S S; \
        if constexpr (wide<T>) { b8 r; EACH r[k] = (__int128)(a.v[k] << (128 - W)) op (__int128)(b.v[k] << (128 - W)); return r; } \
        else if constexpr (Of<T>::lanes) return bit((S)sext<W, T>(a) op (S)sext<W, T>(b)); \
        else return (u8)((S)sext<W, T>(a) op (S)sext<W, T>(b)); \
    }
COMPARE(eq, ==) COMPARE(ne, !=) COMPARE(lt, <) COMPARE(le, <=) COMPARE(gt, >) COMPARE(ge, >=)

template <class T> INLINE auto some(const T& x) {
    if constexpr (Of<T>::lanes) return ne(x, all<T>(0)); else return (u8)(x != 0);
}
template <int W, class T> INLINE auto every(const T& x) {
    if constexpr (Of<T>::lanes) return eq(x, low<W, T>(~all<T>(0))); else return (u8)(x == low<W, T>((T)~(T)0));
}
template <class T> INLINE auto parity(const T& x) {
    if constexpr (!Of<T>::lanes) return (u8)(__builtin_parityll((u64)x) ^ (sizeof(T) > 8 ? __builtin_parityll((u64)((u128)x >> 64)) : 0));
    else {
        T y = x;
        for (int n = Of<T>::bits / 2; n; n /= 2) y = y ^ shr(y, n);
        return to<b8>(y) & (u8)1;
    }
}

// c ? a : b, lane by lane.
template <class T> INLINE T sel(const b8& c, const T& a, const T& b) {
    if constexpr (wide<T>) { b128 r; EACH r.v[k] = c[k] ? a.v[k] : b.v[k]; return r; }
    else { typename Of<T>::S m = converted<typename Of<T>::S>((i8)(b8{} - c)); return m ? a : b; }
}

// Whether it happens in any lane.
INLINE bool hit(const b8& c) {
    if constexpr (LANES == 16) { u64 h[2]; std::memcpy(h, &c, 16); return h[0] | h[1]; }
    else { u8 h = 0; EACH h |= c[k]; return h; }
}
// Whether any element of an array is not zero.
template <class T, int COUNT> INLINE bool live(const T (&a)[COUNT]) {
    T r = 0;
    for (int k = 0; k < COUNT; k++) r |= a[k];
    return r != 0;
}

// x with v at bits n.., of which `ones` are set below.
template <class T, class N> INLINE T put(const T& x, const N& n, const T& ones, const T& v) {
    return (T)((x & (T)~shl(ones, n)) | shl(v, n));
}

// Words of a memory of `depth` words, `stride` elements apart; beyond its end they are zero.
template <class T, class A> INLINE T word(const T* cells, int stride, u32 depth, const A& a) {
    static_assert(!Of<A>::lanes, "");
    return a < depth ? cells[(u64)a * stride] : T{};
}
// Each lane reads at an address of its own, of one memory or of its own.
template <class R, class T, class A> INLINE R gather(const T* cells, int stride, u32 depth, const A& a) {
    R r;
    EACH {
        if constexpr (Of<T>::lanes) r[k] = a[k] < depth ? cells[(u64)a[k] * stride][k] : 0;
        else r[k] = a[k] < depth ? cells[(u64)a[k] * stride] : 0;
    }
    return r;
}
