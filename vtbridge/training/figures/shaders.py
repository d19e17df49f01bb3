"""What the graphics card computes: a surface's colour, its outline, and the picture of the samples.

Colours are sRGB as files have them and multiplied by their alpha, as MMD and painting programs
blend them; the last pass divides by it again.
"""

SURFACE_VERTEX = """
#version 330
uniform vec3 center;
uniform vec3 scale;
in vec3 position;
in vec3 normal;
in vec2 uv;
out vec3 surface_normal;
out vec2 surface_uv;
void main() {
    surface_normal = normal;
    surface_uv = uv;
    gl_Position = vec4((position - center) * scale, 1.0);
}
"""

SURFACE_FRAGMENT = """
#version 330
uniform sampler2D image;
uniform vec4 color;
uniform float cutoff;
uniform bool opaque;
uniform float ambient;
uniform float directional;
uniform bool toon;
in vec3 surface_normal;
in vec2 surface_uv;
out vec4 seen;
// Light adds up in linear light; a factor there is its root in sRGB.
const float GAMMA = 1.0 / 2.2;
// Toon light comes from above the viewer, so that a chin throws its shade.
const vec3 ABOVE = vec3(0.0, 0.45, 0.893);
const float SHADE = 0.5;
void main() {
    vec4 base = texture(image, surface_uv) * vec4(color.rgb * color.a, color.a);
    if (base.a < cutoff) discard;
    if (opaque) base /= base.a;
    vec3 normal = normalize(gl_FrontFacing ? surface_normal : -surface_normal);
    if (toon) {
        float full = ambient + directional;
        float shaded = (ambient + SHADE * directional) / max(full, 1e-3);
        float lit = smoothstep(-0.02, 0.1, dot(normal, ABOVE));
        base.rgb *= pow(min(full, 1.0), GAMMA) * mix(pow(shaded, GAMMA), 1.0, lit);
    } else {
        base.rgb *= pow(ambient + directional * max(normal.z, 0.0), GAMMA);
    }
    seen = vec4(min(base.rgb, vec3(base.a)), base.a);
}
"""

EDGE_VERTEX = """
#version 330
uniform vec3 center;
uniform vec3 scale;
uniform float width;
in vec3 position;
in vec3 normal;
in vec2 uv;
in float edge_scale;
out vec2 surface_uv;
void main() {
    surface_uv = uv;
    gl_Position = vec4((position + normal * (width * edge_scale) - center) * scale, 1.0);
}
"""

EDGE_FRAGMENT = """
#version 330
uniform sampler2D image;
uniform float surface_alpha;
uniform vec4 color;
uniform float cutoff;
uniform bool opaque;
in vec2 surface_uv;
out vec4 seen;
void main() {
    float alpha = texture(image, surface_uv).a * surface_alpha;
    if (alpha < cutoff) discard;
    alpha = (opaque ? 1.0 : alpha) * color.a;
    seen = vec4(color.rgb * alpha, alpha);
}
"""

PICTURE_VERTEX = """
#version 330
in vec2 corner;
void main() {
    gl_Position = vec4(corner, 0.0, 1.0);
}
"""

PICTURE_FRAGMENT = """
#version 330
uniform sampler2DMS drawn;
uniform int supersample;
uniform int samples;
out vec4 seen;
void main() {
    ivec2 first = ivec2(gl_FragCoord.xy) * supersample;
    vec4 sum = vec4(0.0);
    for (int y = 0; y < supersample; y++)
        for (int x = 0; x < supersample; x++)
            for (int i = 0; i < samples; i++)
                sum += texelFetch(drawn, first + ivec2(x, y), i);
    float count = float(supersample * supersample * samples);
    float alpha = floor(sum.a / count * 255.0 + 0.5) / 255.0;
    seen = alpha > 0.0 ? vec4(min(sum.rgb / sum.a, vec3(1.0)), alpha) : vec4(0.0);
}
"""
