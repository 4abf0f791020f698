"""A MuJoCo model under construction: textures, materials, and bodies from `ObjectSpec`s."""

import numpy as np
from scipy.spatial import ConvexHull

from robodistill.sim.meshing import corner_arrays
from robodistill.sim.mujoco_gl import load_mujoco
from robodistill.sim.paint import FINISHES, Coat, Paint
from robodistill.sim.shapes import Solid
from robodistill.sim.spec import ObjectSpec
from robodistill.sim.textures import PATTERNS, object_texture

TOUCH_GROUP = 3
"""Geom group of what touches, which is never drawn."""
CONTACT = {"group": TOUCH_GROUP, "condim": 6, "friction": [0.8, 0.005, 0.002], "solref": [0.012, 1.0]}
"""Contact of everything with everything; with rolling friction (m), so that fruit comes to rest."""


class World:
    """Collects a scene in an `MjSpec`; `geom_owner` remembers which object and part each drawn geom shows."""

    def __init__(self, rng: np.random.Generator):
        """Start an empty world, with one camera for render.py to move."""
        self.mj = load_mujoco()
        self.spec = self.mj.MjSpec()
        self.bodies: list[str] = []
        self._owners: list[tuple[str, int, str]] = []  # geom name, object index, part
        self._count = 0
        self._drawing()
        option = self.spec.option
        option.timestep = 0.004
        option.cone = self.mj.mjtCone.mjCONE_ELLIPTIC  # with the next two, nothing creeps: all comes to rest
        option.impratio = 5
        option.noslip_iterations = 3
        self.spec.memory = 64 << 20  # bytes; the default is too small for cutlery in a bowl on a plate
        option.integrator = self.mj.mjtIntegrator.mjINT_IMPLICITFAST
        self.spec.compiler.boundmass, self.spec.compiler.boundinertia = 1e-4, 1e-9
        for pattern in PATTERNS:
            self.add_texture(f"object/{pattern}", object_texture(pattern, rng))

    def add_texture(self, name: str, image: np.ndarray) -> None:
        """Make an (H, W, 3) uint8 image usable by materials."""
        texture = self.spec.add_texture(name=name, type=self.mj.mjtTexture.mjTEXTURE_2D)
        texture.height, texture.width, texture.nchannel = *image.shape[:2], 3
        texture.data = np.ascontiguousarray(image).tobytes()

    def add_material(
        self, rgb: tuple[float, float, float], texture: str, specular: float = 0.0, shininess: float = 0.1
    ) -> str:
        """A material that multiplies a texture with a tint; its name."""
        name = self._name("material")
        material = self.spec.add_material(name=name, rgba=[*rgb, 1.0], specular=specular, shininess=shininess)
        textures = material.textures
        textures[self.mj.mjtTextureRole.mjTEXROLE_RGB] = texture
        material.textures = textures
        return name

    def coat_material(self, coat: Coat) -> str:
        """The material of a coat; its name."""
        return self.add_material(coat.rgb, f"object/{coat.pattern}", *FINISHES[coat.finish])

    def add_drawn(self, body: object, solid: Solid, material: str, tile: float = 0.08) -> str:
        """Draw a solid on a body, touching nothing; its texture repeats every `tile` metres. The geom's name."""
        points, normals, uv = corner_arrays(solid, tile)
        name = self._name("drawn")
        mesh = self.spec.add_mesh(name=name, inertia=self.mj.mjtMeshInertia.mjMESH_INERTIA_SHELL)
        indices = np.arange(points.shape[0] * 3, dtype=np.int32)
        mesh.uservert, mesh.usernormal, mesh.usertexcoord = points.ravel(), normals.ravel(), uv.ravel()
        mesh.userface = mesh.userfacenormal = mesh.userfacetexcoord = indices
        body.add_geom(
            name=name,
            type=self.mj.mjtGeom.mjGEOM_MESH,
            meshname=name,
            material=material,
            contype=0,
            conaffinity=0,
            mass=0.0,
        )
        return name

    def add_touch(self, body: object, points: np.ndarray, density: float) -> None:
        """Let the convex hull of (n, 3) points touch and weigh, undrawn."""
        convex = ConvexHull(points)
        name = self._name("touch")
        mesh = self.spec.add_mesh(name=name, inertia=self.mj.mjtMeshInertia.mjMESH_INERTIA_SHELL)
        mesh.uservert = points[convex.vertices].ravel()
        body.add_geom(
            name=name,
            type=self.mj.mjtGeom.mjGEOM_MESH,
            meshname=name,
            mass=max(convex.volume * density, 1e-5),
            **CONTACT,
        )

    def add_object(self, spec: ObjectSpec, paint: Paint, labelled: bool = True) -> str:
        """A free body from a spec; its name. A labelled one takes the next object index, counted from 0."""
        name = self._name("object")
        body = self.spec.worldbody.add_body(name=name)
        body.add_freejoint(name=name)
        materials = {
            tint: self.coat_material(paint[tint]) for tint in dict.fromkeys(piece.tint for piece in spec.pieces)
        }
        for piece in spec.pieces:
            geom = self.add_drawn(body, piece.solid, materials[piece.tint])
            if labelled:
                self._owners.append((geom, len(self.bodies), piece.part))
            for points in piece.solid.hulls if piece.touches else ():
                self.add_touch(body, points, piece.density)
        if labelled:
            self.bodies.append(name)
        return name

    def compile(self) -> tuple[object, dict[int, tuple[int, str]]]:
        """The `MjModel`, and (object index, part name) by the id of each drawn geom of a labelled object."""
        model = self.spec.compile()
        return model, {model.geom(geom).id: (index, part) for geom, index, part in self._owners}

    def _drawing(self) -> None:
        visual = self.spec.visual
        visual.quality.offsamples = 0  # antialiased by render.py, together with soft shadows
        visual.quality.shadowsize = 1024
        visual.map.znear, visual.map.zfar, visual.map.shadowclip = 0.1, 5.0, 1.3
        self.spec.stat.extent, self.spec.stat.center = 1.0, [0, 0, 0]
        self.spec.worldbody.add_camera(name="camera")

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count}"
